//! What was asked for: the words of `-gpu`.

use std::collections::BTreeMap;

use crate::Error;

/// What a user asks for. Ids are still text here: which GPUs they mean is the host's to say, at
/// [`deal`](crate::deal).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Nothing said: all GPUs of the host are dealt.
    Automatic,
    /// No site sees a GPU.
    None,
    /// These ids, in this order, over the sites in theirs.
    Ids(Vec<String>),
    /// These ids for these sites; an empty list hides all GPUs from its site.
    Pinned(BTreeMap<String, Vec<String>>),
}

impl Request {
    /// Reads the words after `-gpu`: none at all or `auto` for automatic dealing, `none`, ids in a
    /// row (`1 0 0 2`, or one word `1,0,0,2`), or ids by site (`site-1=0,1 site-2=none`).
    ///
    /// An id is an index, a UUID, the beginning of one, or the UUID of a MIG instance.
    ///
    /// # Errors
    ///
    /// For words that contradict one another, name nothing, or can be read in two ways.
    ///
    /// ```
    /// use poc_gpu::Request;
    ///
    /// let request = Request::parse(&["1", "0", "0", "2"])?;
    /// assert_eq!(request, Request::Ids(["1", "0", "0", "2"].map(String::from).to_vec()));
    /// # Ok::<(), poc_gpu::Error>(())
    /// ```
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self, Error> {
        let words: Vec<&str> = words.iter().map(|word| word.as_ref().trim()).collect();
        match words.as_slice() {
            [] => return Ok(Self::Automatic),
            [word] if is(word, "auto") => return Ok(Self::Automatic),
            words if words.iter().all(|word| is(word, "none")) => return Ok(Self::None),
            _ => {}
        }
        let pinned = words.iter().find(|word| word.contains('='));
        let plain = words.iter().find(|word| !word.contains('='));
        match (plain, pinned) {
            (Some(plain), Some(pinned)) => Err(Error::Mixed {
                plain: (*plain).to_owned(),
                pinned: (*pinned).to_owned(),
            }),
            (None, _) => by_site(&words),
            (Some(_), None) => in_a_row(&words),
        }
    }
}

fn in_a_row(words: &[&str]) -> Result<Request, Error> {
    if let Some(word) = words.iter().find(|word| word.contains(','))
        && words.len() > 1
    {
        return Err(Error::UnclearList {
            word: (*word).to_owned(),
        });
    }
    let mut ids = Vec::new();
    for word in words {
        ids.extend(ids_of(word, word)?);
    }
    none_stands_alone(&ids)?;
    Ok(Request::Ids(ids))
}

fn by_site(words: &[&str]) -> Result<Request, Error> {
    let mut sites = BTreeMap::new();
    for word in words {
        let (site, ids) = word.split_once('=').unwrap_or((word, ""));
        let (site, ids) = (site.trim(), ids.trim());
        if site.is_empty() {
            return Err(Error::Incomplete {
                word: (*word).to_owned(),
                missing: "site",
            });
        }
        let ids = if is(ids, "none") {
            Vec::new()
        } else {
            ids_of(ids, word)?
        };
        none_stands_alone(&ids)?;
        if sites.insert(site.to_owned(), ids).is_some() {
            return Err(Error::SiteTwice {
                site: site.to_owned(),
            });
        }
    }
    Ok(Request::Pinned(sites))
}

/// The ids of a list with commas; `word` is what an error shows.
fn ids_of(list: &str, word: &str) -> Result<Vec<String>, Error> {
    list.split(',')
        .map(|id| match id.trim() {
            "" => Err(Error::Incomplete {
                word: word.to_owned(),
                missing: "GPU",
            }),
            id => Ok(id.to_owned()),
        })
        .collect()
}

/// `none` answers the whole question; beside an id it is a slip.
fn none_stands_alone(ids: &[String]) -> Result<(), Error> {
    if !ids.iter().any(|id| is(id, "none")) {
        return Ok(());
    }
    let other = ids.iter().find(|id| !is(id, "none"));
    Err(Error::NoneNotAlone {
        other: other.map_or("none", String::as_str).to_owned(),
    })
}

fn is(word: &str, special: &str) -> bool {
    word.eq_ignore_ascii_case(special)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(ids: &[&str]) -> Request {
        Request::Ids(ids.iter().map(|id| (*id).to_owned()).collect())
    }

    fn pinned(sites: &[(&str, &[&str])]) -> Request {
        Request::Pinned(
            sites
                .iter()
                .map(|(site, ids)| {
                    (
                        (*site).to_owned(),
                        ids.iter().map(|id| (*id).to_owned()).collect(),
                    )
                })
                .collect(),
        )
    }

    #[test]
    fn the_forms() {
        for (words, request) in [
            (&[][..], Request::Automatic),
            (&["auto"], Request::Automatic),
            (&["none"], Request::None),
            (&["NONE"], Request::None),
            (&["none", "none"], Request::None),
            (&["0"], ids(&["0"])),
            (&["1", "0", "0", "2"], ids(&["1", "0", "0", "2"])),
            (&["1,0,0,2"], ids(&["1", "0", "0", "2"])),
            (&[" 1 , 0 "], ids(&["1", "0"])),
            (&["GPU-8932f937", "MIG-x"], ids(&["GPU-8932f937", "MIG-x"])),
            (
                &["site-1=0,1", "site-2=2"],
                pinned(&[("site-1", &["0", "1"]), ("site-2", &["2"])]),
            ),
            (
                &["site-1=none", "site-2=MIG-GPU-a/1/0"],
                pinned(&[("site-1", &[]), ("site-2", &["MIG-GPU-a/1/0"])]),
            ),
        ] {
            assert_eq!(Request::parse(words), Ok(request), "{words:?}");
        }
    }

    #[test]
    fn what_is_refused_and_why() {
        let mut report = Vec::new();
        for words in [
            &["0", "site-1=1"][..],
            &["none", "0"],
            &["0", "none"],
            &["site-1=0,none"],
            &["0,1", "2"],
            &["0,,1"],
            &[""],
            &["site-1="],
            &["=0"],
            &["site-1=0", "site-1=1"],
        ] {
            let error = Request::parse(words).unwrap_err();
            report.push(format!("{words:?}\n  {error}\n  {}", error.hint().unwrap()));
        }
        insta::assert_snapshot!(report.join("\n"));
    }

    proptest! {
        #[test]
        fn reading_never_fails_on_plain_ids(
            ids in prop::collection::vec("[0-9]{1,4}|GPU-[0-9a-f]{1,8}", 1..9)
        ) {
            prop_assert_eq!(Request::parse(&ids), Ok(Request::Ids(ids.clone())));
            // One word with commas is the same row.
            prop_assert_eq!(Request::parse(&[ids.join(",")]), Ok(Request::Ids(ids)));
        }

        #[test]
        fn reading_never_panics(words in prop::collection::vec("[a-z0-9=, -]{0,12}", 0..5)) {
            let _ = Request::parse(&words);
        }
    }
}

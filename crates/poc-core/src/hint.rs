//! What to do about an error, kept apart from what went wrong.

/// Errors that know a remedy. The texts are data: the program that shows the error decides how they
/// look, and puts the same texts into its JSON.
pub trait Hint {
    /// What the user can do, most promising first; empty where there is nothing to say. Whole
    /// sentences without a trailing period, commands between backticks.
    fn hints(&self) -> Vec<String>;
}

/// The candidate most like a mistyped word, for "did you mean"; `None` where none is like it.
///
/// ```
/// use poc_core::nearest;
/// assert_eq!(nearest("site1", ["server", "site-1", "site-2"]), Some("site-1"));
/// assert_eq!(nearest("zebra", ["server", "site-1"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (distance(&folded, &candidate.to_lowercase()), candidate))
        // A third of the letters may be wrong: enough for a slip, too little for another word.
        .filter(|(distance, candidate)| {
            *distance
                <= word
                    .chars()
                    .count()
                    .max(candidate.chars().count())
                    .div_ceil(3)
        })
        // `min_by_key` keeps the first of equals: candidates come in the order of their project.
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits (a letter more, less, other, or two neighbours swapped) that turn one word into the other.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=left.len() {
        let mut current = vec![i];
        for j in 1..=right.len() {
            let changed = last[j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut best = changed.min(last[j] + 1).min(current[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slips_are_recognised() {
        let participants = ["server", "admin@nvidia.com", "site-1", "site-2", "hospital"];
        for (slip, meant) in [
            ("sevrer", "server"),
            ("Server", "server"),
            ("site_2", "site-2"),
            ("admin", "admin@nvidia.com"),
            ("hospitals", "hospital"),
        ] {
            let expected = (slip != "admin").then_some(meant);
            assert_eq!(nearest(slip, participants), expected, "{slip}");
        }
    }

    proptest! {
        #[test]
        fn a_word_is_nearest_to_itself(word in "[a-z0-9-]{1,20}", other in "[a-z0-9-]{1,20}") {
            prop_assert_eq!(nearest(&word, [other.as_str(), word.as_str()]).map(|w| distance(w, &word)), Some(0));
        }

        #[test]
        fn distance_is_symmetric(left in ".{0,12}", right in ".{0,12}") {
            prop_assert_eq!(distance(&left, &right), distance(&right, &left));
        }
    }
}

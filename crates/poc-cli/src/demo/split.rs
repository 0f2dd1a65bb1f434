//! Who holds which records: a pure function of the labels and the number of sites.
//!
//! Three records in ten of each class are held out, the same ones whatever the number of sites. The
//! rest goes to hospitals that differ as hospitals do: a referral centre that sees most of the
//! malignant cases, a general hospital with everybody's mix, a screening unit whose findings are
//! nearly all benign. A fourth site is a second, smaller referral centre, and so on. No record is
//! in two places.

/// Seeds the one shuffle there is: the year in which the data were given to the UCI repository.
const SEED: u64 = 1995;

/// More sites than these would get too few records to be hospitals, and the host too many
/// processes.
pub(crate) const MAX_SITES: u32 = 32;

/// Of each class, every site has at least so many: a site that never saw a class cannot train at
/// all.
const LEAST_OF_EACH_CLASS: usize = 2;

/// Held out of each class, in tenths.
const HELD_OUT_TENTHS: usize = 3;

/// How strongly a kind of hospital draws the patients of a class, beside the other kinds.
struct Kind {
    malignant: usize,
    benign: usize,
}

const KINDS: [Kind; 3] = [
    // The referral centre, the general hospital, the screening unit.
    Kind {
        malignant: 12,
        benign: 4,
    },
    Kind {
        malignant: 4,
        benign: 4,
    },
    Kind {
        malignant: 1,
        benign: 8,
    },
];

/// The parts of a data set, each as indices of its records in their order.
#[derive(Debug, PartialEq)]
pub(crate) struct Split {
    /// For measuring alone.
    pub(crate) held_out: Vec<usize>,
    /// What each site trains on.
    pub(crate) sites: Vec<Vec<usize>>,
}

impl Split {
    /// Splits records with these labels (true: malignant) over 1 to [`MAX_SITES`] sites.
    pub(crate) fn new(labels: &[bool], sites: usize) -> Self {
        let mut random = SplitMix64(SEED);
        let mut split = Self {
            held_out: Vec::new(),
            sites: vec![Vec::new(); sites],
        };
        for class in [true, false] {
            let mut members: Vec<usize> = (0..labels.len())
                .filter(|&index| labels[index] == class)
                .collect();
            random.shuffle(&mut members);

            let mut rest = members.split_off(members.len() * HELD_OUT_TENTHS / 10);
            split.held_out.append(&mut members);
            let weights: Vec<usize> = (0..sites).map(|site| weight(site, class)).collect();
            for (site, count) in split.sites.iter_mut().zip(apportion(rest.len(), &weights)) {
                site.extend(rest.drain(..count));
            }
        }
        split.held_out.sort_unstable();
        split.sites.iter_mut().for_each(|site| site.sort_unstable());
        split
    }
}

/// How strongly a site draws a class: by its kind, and the less the more hospitals of that kind
/// come before it.
fn weight(site: usize, malignant: bool) -> usize {
    // Divisible by every number of hospitals of one kind that there can be, so that the weights are
    // exact.
    const WHOLE: usize = 27_720;

    let kind = &KINDS[site % KINDS.len()];
    let earlier = site / KINDS.len();
    WHOLE / (earlier + 1)
        * if malignant {
            kind.malignant
        } else {
            kind.benign
        }
}

/// Deals `total` records by weight: to everybody the least that a site needs, the rest by largest
/// remainder.
fn apportion(total: usize, weights: &[usize]) -> Vec<usize> {
    let least = LEAST_OF_EACH_CLASS.min(total / weights.len());
    let rest = total - least * weights.len();
    let sum: usize = weights.iter().sum();

    let mut counts: Vec<usize> = weights
        .iter()
        .map(|weight| least + rest * weight / sum)
        .collect();
    let left = total - counts.iter().sum::<usize>();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|&site| std::cmp::Reverse(rest * weights[site] % sum));
    for &site in by_remainder.iter().take(left) {
        counts[site] += 1;
    }
    counts
}

/// Steele, Lea and Flood's generator: a few lines that give the same numbers in every language and
/// for ever.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `choices`: the high half of a product, where a remainder would favour the low
    /// ones.
    #[expect(clippy::cast_possible_truncation, reason = "it is below a usize")]
    fn below(&mut self, choices: usize) -> usize {
        ((u128::from(self.next()) * choices as u128) >> 64) as usize
    }

    /// Fisher and Yates' shuffle.
    fn shuffle(&mut self, items: &mut [usize]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::demo::data::DataSet;

    /// Records and the malignant ones among them, a part a line.
    fn describe(labels: &[bool], split: &Split) -> String {
        let line = |name: String, part: &[usize]| {
            let malignant = part.iter().filter(|&&index| labels[index]).count();
            format!(
                "{name}: {} records, {malignant} malignant, from {:?}\n",
                part.len(),
                &part[..3]
            )
        };
        let sites = split
            .sites
            .iter()
            .enumerate()
            .map(|(site, part)| line(format!("site-{}", site + 1), part));
        std::iter::once(line("held out".to_owned(), &split.held_out))
            .chain(sites)
            .collect()
    }

    #[test]
    fn three_hospitals_are_uneven() {
        let labels = DataSet::bundled().unwrap().labels();
        insta::assert_snapshot!(describe(&labels, &Split::new(&labels, 3)), @r"
        held out: 170 records, 63 malignant, from [3, 4, 13]
        site-1: 166 records, 103 malignant, from [1, 5, 6]
        site-2: 99 records, 36 malignant, from [2, 12, 20]
        site-3: 134 records, 10 malignant, from [0, 18, 48]
        ");
    }

    #[test]
    fn the_held_out_part_does_not_depend_on_the_sites() {
        let labels = DataSet::bundled().unwrap().labels();
        let held_out = Split::new(&labels, 1).held_out;
        for sites in 2..=MAX_SITES as usize {
            assert_eq!(
                Split::new(&labels, sites).held_out,
                held_out,
                "{sites} sites"
            );
        }
    }

    #[test]
    fn every_site_of_many_can_train() {
        let labels = DataSet::bundled().unwrap().labels();
        for (site, part) in Split::new(&labels, MAX_SITES as usize)
            .sites
            .iter()
            .enumerate()
        {
            for class in [true, false] {
                let count = part.iter().filter(|&&index| labels[index] == class).count();
                assert!(
                    count >= LEAST_OF_EACH_CLASS,
                    "site {site} has {count} records of class {class}"
                );
            }
        }
    }

    #[test]
    fn the_generator_is_the_published_one() {
        // The first numbers of the reference implementation for the seed 1234567.
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    proptest! {
        #[test]
        fn every_record_is_in_exactly_one_place(labels in proptest::collection::vec(any::<bool>(), 0..400), sites in 1_usize..=32) {
            let split = Split::new(&labels, sites);
            prop_assert_eq!(split.sites.len(), sites);

            let mut all: Vec<usize> = split.sites.iter().flatten().chain(&split.held_out).copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        }

        #[test]
        fn both_classes_are_held_out_alike(labels in proptest::collection::vec(any::<bool>(), 0..400), sites in 1_usize..=32) {
            let split = Split::new(&labels, sites);
            for class in [true, false] {
                let all = labels.iter().filter(|&&label| label == class).count();
                let held_out = split.held_out.iter().filter(|&&index| labels[index] == class).count();
                prop_assert_eq!(held_out, all * HELD_OUT_TENTHS / 10);
            }
        }

        #[test]
        fn a_share_follows_its_weight(total in 0_usize..1000, weights in proptest::collection::vec(1_usize..1_000_000, 1..32)) {
            let counts = apportion(total, &weights);
            prop_assert_eq!(counts.iter().sum::<usize>(), total);
            for (a, b) in counts.iter().zip(&weights).flat_map(|one| counts.iter().zip(&weights).map(move |other| (one, other))) {
                prop_assert!(a.1 <= b.1 || a.0 >= b.0, "{a:?} has more weight and fewer records than {b:?}");
            }
        }
    }
}

//! The bundled records: the Wisconsin diagnostic breast-cancer data, and how they are laid out for
//! a federation.
//!
//! Source, creators and licence (CC BY 4.0) are in `data/README.md`, beside the CSV file.

use std::io;

use camino::Utf8Path;
use poc_core::fsio;

use super::split::Split;

const BREAST_CANCER: &str = include_str!("data/breast_cancer.csv");

/// The file of held-out records in the data folder: common to all, trained on by none.
pub(crate) const HELD_OUT_FILE: &str = "held-out.csv";

/// A site's own records, in the folder of its name.
const TRAIN_FILE: &str = "train.csv";

/// A table of records with a header line.
#[derive(Debug)]
pub(crate) struct DataSet<'a> {
    header: &'a str,
    records: Vec<Record<'a>>,
}

/// One patient's measurements and diagnosis.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    /// As it stands in the file: what a site gets is never printed anew.
    line: &'a str,
    pub(crate) features: Vec<f64>,
    pub(crate) malignant: bool,
}

impl DataSet<'static> {
    /// The 569 records that `poc` carries.
    pub(crate) fn bundled() -> Result<Self, BadRecord> {
        Self::parse(BREAST_CANCER)
    }
}

impl<'a> DataSet<'a> {
    /// Reads CSV text: a header line, then numbers, the last of them 1 for malignant and 0 for
    /// benign.
    fn parse(text: &'a str) -> Result<Self, BadRecord> {
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default();
        let columns = header.split(',').count();
        let records = lines
            .enumerate()
            .map(|(index, line)| {
                // Lines count from 1, and the header is the first.
                Record::parse(line, columns).ok_or(BadRecord { line: index + 2 })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { header, records })
    }

    /// The names of the features, in the order of a record's values.
    pub(crate) fn feature_names(&self) -> Vec<&'a str> {
        let mut names: Vec<_> = self.header.split(',').collect();
        names.pop();
        names
    }

    pub(crate) fn labels(&self) -> Vec<bool> {
        self.records.iter().map(|record| record.malignant).collect()
    }

    /// The records of one part of a split.
    pub(crate) fn select<'s>(&'s self, part: &'s [usize]) -> impl Iterator<Item = &'s Record<'a>> {
        part.iter().map(|&index| &self.records[index])
    }

    /// Gives every site its own records in its own place, `<data_dir>/<site>/train.csv`, and
    /// everybody the held-out ones, `<data_dir>/held-out.csv`. Nothing of it travels with a job.
    pub(crate) fn lay_out(
        &self,
        split: &Split,
        sites: &[String],
        data_dir: &Utf8Path,
    ) -> io::Result<()> {
        for (site, part) in sites.iter().zip(&split.sites) {
            let place = data_dir.join(site);
            fsio::create_dir_private(&place)?;
            fsio::write_new(&place.join(TRAIN_FILE), self.to_csv(part).as_bytes(), 0o600)?;
        }
        fsio::write_new(
            &data_dir.join(HELD_OUT_FILE),
            self.to_csv(&split.held_out).as_bytes(),
            0o600,
        )
    }

    pub(crate) fn to_csv(&self, part: &[usize]) -> String {
        let lines = self.select(part).map(|record| record.line);
        let mut text = String::new();
        for line in std::iter::once(self.header).chain(lines) {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

impl<'a> Record<'a> {
    fn parse(line: &'a str, columns: usize) -> Option<Self> {
        let (features, diagnosis) = line.rsplit_once(',')?;
        let features: Vec<f64> = features
            .split(',')
            .map(|value| value.parse().ok())
            .collect::<Option<_>>()?;
        let malignant = match diagnosis {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        (features.len() + 1 == columns).then_some(Self {
            line,
            features,
            malignant,
        })
    }
}

/// A line of a CSV file that is not a record.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("line {line} of the bundled data is not a record")]
pub(crate) struct BadRecord {
    line: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_data_is_the_published_one() {
        let data = DataSet::bundled().unwrap();
        let malignant = data
            .records
            .iter()
            .filter(|record| record.malignant)
            .count();

        assert_eq!(data.records.len(), 569);
        assert_eq!(malignant, 212);
        assert_eq!(data.feature_names().len(), 30);
        assert!(
            data.records
                .iter()
                .all(|record| record.features.len() == 30)
        );
        // Mean radius, as its description gives the extremes.
        let radius = || data.records.iter().map(|record| record.features[0]);
        let extremes = (
            radius().fold(f64::INFINITY, f64::min),
            radius().fold(0.0, f64::max),
        );
        assert_eq!(extremes, (6.981, 28.11));
    }

    #[test]
    fn a_part_is_a_file_of_its_own() {
        let data = DataSet::parse("a,b,malignant\n1,2,0\n3,4,1\n5,6,0\n").unwrap();
        assert_eq!(data.to_csv(&[1, 2]), "a,b,malignant\n3,4,1\n5,6,0\n");
        assert_eq!(data.feature_names(), ["a", "b"]);
        assert_eq!(data.labels(), [false, true, false]);
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, line) in [
            ("a,malignant\n1,0\n2\n", 3),
            ("a,malignant\n1,2,0\n", 2),
            ("a,malignant\nx,0\n", 2),
            ("a,malignant\n1,2\n", 2),
            ("a,malignant\n\n", 2),
        ] {
            assert_eq!(
                DataSet::parse(text).unwrap_err(),
                BadRecord { line },
                "{text:?}"
            );
        }
    }
}

//! The demo's text: a line a round while it runs, and the comparison at the end.

use std::collections::BTreeMap;

use super::outcome::Training;
use super::progress::Round;
use super::split::Split;
use crate::output::{style, words};

/// A bar is empty at the one accuracy and full at the other: all that is worth seeing lies between.
const BAR_FROM: f64 = 0.8;
const BAR_TO: f64 = 1.0;
const BAR_CELLS: usize = 20;

/// A column as wide as `100.0 %`.
const PERCENT_WIDTH: usize = 7;

/// The table of rounds, written line by line as they come.
pub(crate) struct RoundTable<'a> {
    sites: &'a [String],
    /// Of the terminal; `None` where there is none.
    width: Option<usize>,
}

impl<'a> RoundTable<'a> {
    pub(crate) fn new(sites: &'a [String], width: Option<u16>) -> Self {
        Self {
            sites,
            width: width.map(usize::from),
        }
    }

    /// What comes before the first round.
    pub(crate) fn header(&self) -> String {
        if self.width.is_none() {
            return String::new();
        }
        let columns: Vec<String> = self
            .columns()
            .iter()
            .map(|(name, width)| format!("{name:>width$}"))
            .collect();
        let global = format!(
            "federated ({:.0} to {:.0} %)",
            BAR_FROM * 100.0,
            BAR_TO * 100.0
        );
        let line = format!(
            "{:>7}  {global:<bar$}  {}",
            "round",
            columns.join("  "),
            bar = BAR_CELLS + 1 + PERCENT_WIDTH
        );
        format!("{}\n", style::strong(line.trim_end()))
    }

    /// One round.
    pub(crate) fn row(&self, round: &Round) -> String {
        let number = format!("{}/{}", round.number, round.total);
        let values = self.values(&round.sites);
        if self.width.is_none() {
            let sites: Vec<String> = self
                .names()
                .iter()
                .zip(values)
                .map(|(name, value)| format!("{name} {}", percent(value)))
                .collect();
            return format!(
                "round {number}: federated {}, {}\n",
                percent(round.global),
                sites.join(", ")
            );
        }
        let sites: Vec<String> = self
            .columns()
            .iter()
            .zip(values)
            .map(|((_, width), value)| format!("{:>width$}", percent(value)))
            .collect();
        format!(
            "{number:>7}  {} {:>PERCENT_WIDTH$}  {}\n",
            style::good(bar(round.global)),
            percent(round.global),
            style::dim(sites.join("  "))
        )
    }

    /// The columns after the bar, with their widths.
    fn columns(&self) -> Vec<(&str, usize)> {
        self.names()
            .into_iter()
            .map(|name| (name, name.chars().count().max(PERCENT_WIDTH)))
            .collect()
    }

    /// Each site, or where they do not fit, the worst, the middle and the best of them.
    fn names(&self) -> Vec<&str> {
        if self.shows_all() {
            self.sites.iter().map(String::as_str).collect()
        } else {
            vec!["lowest", "median", "highest"]
        }
    }

    fn values(&self, sites: &BTreeMap<String, f64>) -> Vec<f64> {
        if self.shows_all() {
            return self
                .sites
                .iter()
                .map(|site| sites.get(site).copied().unwrap_or(f64::NAN))
                .collect();
        }
        let mut values: Vec<f64> = sites.values().copied().collect();
        values.sort_by(f64::total_cmp);
        match values.as_slice() {
            [] => Vec::new(),
            [lowest, .., highest] => vec![*lowest, median(&values), *highest],
            [only] => vec![*only; 3],
        }
    }

    fn shows_all(&self) -> bool {
        let Some(width) = self.width else { return true };
        let before = "  round".len() + 2 + BAR_CELLS + 1 + PERCENT_WIDTH;
        let sites: usize = self
            .sites
            .iter()
            .map(|name| 2 + name.chars().count().max(PERCENT_WIDTH))
            .sum();
        before + sites <= width
    }
}

/// What is about to happen, in a sentence or two.
pub(crate) fn introduction(split: &Split) -> String {
    let records: usize = split.sites.iter().map(Vec::len).sum();
    let who = words::count(split.sites.len(), "hospital");
    let train = if split.sites.len() == 1 {
        "trains"
    } else {
        "train"
    };
    format!(
        "{who} {train} one model that tells malignant breast masses from benign ones, with NVFlare's FedAvg.\n\
         Their {records} records stay where they are; {} more, that nobody trains on, are for measuring.\n",
        split.held_out.len()
    )
}

/// The end of the story: the federated model beside what each site reaches by itself.
pub(crate) fn comparison(training: &Training, bars: bool) -> String {
    let right = |accuracy: f64| right_of(accuracy, training.held_out.records);
    let name_width = training
        .sites
        .iter()
        .map(|site| site.name.chars().count())
        .max()
        .unwrap_or(0);
    let name_width = name_width.max("federated".len());
    let line = |name: &str, accuracy: f64, paint: fn(String) -> String, remark: &str| {
        let bar = if bars {
            format!("{} ", paint(bar(accuracy)))
        } else {
            String::new()
        };
        format!(
            "  {name:<name_width$}  {bar}{:>PERCENT_WIDTH$}  {:>3} right{remark}\n",
            percent(accuracy),
            right(accuracy),
        )
    };

    let mut text = format!(
        "\nOn {} that nobody trained on, after {}:\n\n",
        words::count(training.held_out.records, "record"),
        words::count(training.rounds.len(), "round")
    );
    text += &line("federated", training.accuracy, style::good, "");
    for site in &training.sites {
        let remark = format!(
            "  alone: {}, {} malignant",
            words::count(site.own.records, "record"),
            site.own.malignant
        );
        text += &line(&site.name, site.alone, style::dim, &remark);
    }
    text + &lesson(training).map_or_else(String::new, |lesson| format!("\n{lesson}\n"))
}

/// What one sees in the comparison, in a sentence.
fn lesson(training: &Training) -> Option<String> {
    let total = training.held_out.records;
    let together = right_of(training.accuracy, total);
    let alone = training.alone_ascending();
    let best = right_of(*alone.last()?, total);
    let comparison = match training.sites.len() {
        1 => format!("the one site alone on {best}: with a single site there is nothing to gain"),
        2 => format!("the better of the two sites alone on {best}"),
        sites => format!(
            "the best of the {sites} sites alone on {best}, the median on {}",
            right_of(median(&alone), total)
        ),
    };
    Some(format!(
        "The federated model is right on {together} of {total}, {comparison}."
    ))
}

/// Of values in ascending order; of an even number of them, the mean of the middle two.
pub(crate) fn median(ascending: &[f64]) -> f64 {
    match ascending {
        [] => f64::NAN,
        values if values.len() % 2 == 1 => values[values.len() / 2],
        values => f64::midpoint(values[values.len() / 2 - 1], values[values.len() / 2]),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// How many of `total` records an accuracy means. A median may lie between two.
fn right_of(accuracy: f64, total: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "hundreds of records")]
    let right = accuracy * total as f64;
    if (right - right.round()).abs() < 0.25 {
        format!("{right:.0}")
    } else {
        format!("{right:.1}")
    }
}

/// A bar of [`BAR_CELLS`] characters, exact to an eighth of one.
fn bar(accuracy: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

    let share = ((accuracy - BAR_FROM) / (BAR_TO - BAR_FROM)).clamp(0.0, 1.0);
    #[expect(clippy::cast_precision_loss, reason = "a handful of cells")]
    let cells = (BAR_CELLS * 8) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 8 a cell"
    )]
    let eighths = (share * cells).round() as usize;
    let text = "█".repeat(eighths / 8) + EIGHTHS[eighths % 8];
    format!("{text:<BAR_CELLS$}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::demo::outcome::sample;

    fn sites(count: usize) -> Vec<String> {
        (1..=count).map(|number| format!("site-{number}")).collect()
    }

    fn round(number: u32, global: f64, values: &[f64]) -> Round {
        let sites: BTreeMap<String, f64> = sites(values.len())
            .into_iter()
            .zip(values.iter().copied())
            .collect();
        Round {
            number,
            total: 10,
            global,
            alone: sites.clone(),
            sites,
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_terminal_gets_a_table_with_bars() {
        let names = sites(3);
        let table = RoundTable::new(&names, Some(100));
        let text = table.header()
            + &table.row(&round(1, 0.941, &[0.941, 0.912, 0.947]))
            + &table.row(&round(10, 1.0, &[0.976, 0.965, 1.0]));
        insta::assert_snapshot!(plain(&text), @r"
        round  federated (80 to 100 %)        site-1   site-2   site-3
         1/10  ██████████████▏       94.1 %   94.1 %   91.2 %   94.7 %
        10/10  ████████████████████ 100.0 %   97.6 %   96.5 %  100.0 %
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_the_spread() {
        let names = sites(12);
        let table = RoundTable::new(&names, Some(80));
        let values: Vec<f64> = (0..12).map(|site| 0.88 + f64::from(site) / 100.0).collect();
        insta::assert_snapshot!(plain(&(table.header() + &table.row(&round(2, 0.7, &values)))), @r"
        round  federated (80 to 100 %)        lowest   median  highest
         2/10                        70.0 %   88.0 %   93.5 %   99.0 %
        ");
    }

    #[test]
    fn a_pipe_gets_plain_lines() {
        let names = sites(2);
        let table = RoundTable::new(&names, None);
        assert_eq!(table.header(), "");
        insta::assert_snapshot!(table.row(&round(3, 0.9588, &[0.9, 0.95])), @"round 3/10: federated 95.9 %, site-1 90.0 %, site-2 95.0 %");
    }

    #[test]
    fn the_end_compares() {
        insta::assert_snapshot!(plain(&comparison(&sample(166.0 / 170.0, &[0.947, 0.935, 0.941]), true)), @r"
        On 170 records that nobody trained on, after 1 round:

          federated  █████████████████▋    97.6 %  166 right
          site-1     ██████████████▊       94.7 %  161 right  alone: 166 records, 103 malignant
          site-2     █████████████▌        93.5 %  159 right  alone: 166 records, 103 malignant
          site-3     ██████████████▏       94.1 %  160 right  alone: 166 records, 103 malignant

        The federated model is right on 166 of 170, the best of the 3 sites alone on 161, the median on 160.
        ");
        insta::assert_snapshot!(plain(&comparison(&sample(166.0 / 170.0, &[162.0 / 170.0, 160.0 / 170.0]), false)), @r"
        On 170 records that nobody trained on, after 1 round:

          federated   97.6 %  166 right
          site-1      95.3 %  162 right  alone: 166 records, 103 malignant
          site-2      94.1 %  160 right  alone: 166 records, 103 malignant

        The federated model is right on 166 of 170, the better of the two sites alone on 162.
        ");
        assert_eq!(
            lesson(&sample(0.9, &[0.9])).unwrap(),
            "The federated model is right on 153 of 170, the one site alone on 153: with a single site there is nothing to gain."
        );
    }

    #[test]
    fn medians() {
        let medians = (
            median(&[1.0]),
            median(&[1.0, 2.0]),
            median(&[1.0, 2.0, 9.0]),
        );
        assert_eq!(medians, (1.0, 1.5, 2.0));
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_json_keys() {
        insta::assert_json_snapshot!(sample(0.5, &[0.25]), @r#"
        {
          "job": {
            "id": "ccfe3c1d",
            "name": "poc-demo",
            "status": "FINISHED:COMPLETED"
          },
          "rounds": [
            {
              "round": 1,
              "accuracy": 0.5,
              "sites": {
                "site-1": 0.25
              },
              "alone": {
                "site-1": 0.25
              }
            }
          ],
          "accuracy": 0.5,
          "held_out": {
            "records": 170,
            "malignant": 63
          },
          "sites": [
            {
              "name": "site-1",
              "records": 166,
              "malignant": 103,
              "alone": 0.25
            }
          ],
          "result": {
            "model": "/home/me/.local/share/poc/demo/global-model.json",
            "held_out": "/home/me/.local/share/poc/demo/held-out.csv"
          }
        }
        "#);
    }

    proptest! {
        #[test]
        fn a_bar_is_always_as_wide(accuracy in proptest::num::f64::ANY) {
            prop_assert_eq!(bar(accuracy).chars().count(), BAR_CELLS);
        }

        #[test]
        fn more_is_never_shorter(one in 0.0..1.0_f64, other in 0.0..1.0_f64) {
            let cells = |accuracy| bar(accuracy).trim_end().chars().count();
            let (low, high) = if one < other { (one, other) } else { (other, one) };
            prop_assert!(cells(low) <= cells(high));
        }
    }
}

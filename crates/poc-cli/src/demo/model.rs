//! The global model as the job hands it out, and how well it does.

use serde::Deserialize;

use super::data::Record;

/// The format that `job/hospital_server.py` writes.
const FORMAT: &str = "poc-demo/logistic-regression/1";

/// `global-model.json` of the job's result: a logistic regression over features that are scaled first.
#[derive(Debug, Deserialize)]
pub(crate) struct GlobalModel {
    format: String,
    features: Vec<String>,
    mean: Vec<f64>,
    scale: Vec<f64>,
    weights: Vec<f64>,
    bias: f64,
}

impl GlobalModel {
    /// Reads the model, and makes sure that it is one over these features.
    pub(crate) fn parse(text: &str, features: &[&str]) -> Result<Self, BadModel> {
        let model: Self = serde_json::from_str(text)?;
        if model.format != FORMAT {
            return Err(BadModel::Format(model.format));
        }
        let lengths = [model.mean.len(), model.scale.len(), model.weights.len()];
        if model.features != features || lengths.iter().any(|&length| length != features.len()) {
            return Err(BadModel::Features);
        }
        Ok(model)
    }

    /// How many of the records it puts into the right class.
    pub(crate) fn count_right<'r>(&self, records: impl Iterator<Item = &'r Record<'r>>) -> usize {
        records
            .filter(|record| self.is_malignant(&record.features) == record.malignant)
            .count()
    }

    fn is_malignant(&self, features: &[f64]) -> bool {
        let scaled = features
            .iter()
            .zip(&self.mean)
            .zip(&self.scale)
            .map(|((value, mean), scale)| (value - mean) / scale);
        let evidence: f64 = scaled
            .zip(&self.weights)
            .map(|(value, weight)| value * weight)
            .sum();
        evidence + self.bias > 0.0
    }
}

/// A model file that is not what this demo's job writes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadModel {
    #[error("it is not a model in JSON")]
    Json(#[from] serde_json::Error),
    #[error("its format is `{0}` and not `{FORMAT}`")]
    Format(String),
    #[error("it is a model over other features")]
    Features,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::data::DataSet;
    use crate::demo::split::Split;

    /// Malignant where the first feature is above 5, whatever the second.
    const MODEL: &str = r#"{"format": "poc-demo/logistic-regression/1", "features": ["a", "b"], "mean": [4, 0],
        "scale": [2, 1], "weights": [2, 0], "bias": -1}"#;

    #[test]
    fn a_model_is_measured_by_its_own_scaling() {
        let model = GlobalModel::parse(MODEL, &["a", "b"]).unwrap();
        assert!(model.is_malignant(&[5.1, -100.0]));
        assert!(!model.is_malignant(&[5.0, 100.0]));
    }

    #[test]
    fn a_model_of_nothing_says_benign() {
        let data = DataSet::bundled().unwrap();
        let zeros = serde_json::to_string(&[0.0; 30]).unwrap();
        let ones = serde_json::to_string(&[1.0; 30]).unwrap();
        let names = data.feature_names();
        let features = serde_json::to_string(&names).unwrap();
        let text = format!(
            r#"{{"format": "{FORMAT}", "features": {features}, "mean": {zeros}, "scale": {ones}, "weights": {zeros}, "bias": 0}}"#
        );
        let split = Split::new(&data.labels(), 1);
        let model = GlobalModel::parse(&text, &names).unwrap();
        let benign = data
            .select(&split.held_out)
            .filter(|record| !record.malignant)
            .count();
        assert_eq!(model.count_right(data.select(&split.held_out)), benign);
    }

    #[test]
    fn another_model_is_refused() {
        let refused = |text: &str, features: &[&str]| {
            GlobalModel::parse(text, features).unwrap_err().to_string()
        };
        assert_eq!(refused("[", &[]), "it is not a model in JSON");
        assert_eq!(refused(MODEL, &["a"]), "it is a model over other features");
        assert_eq!(
            refused(MODEL, &["b", "a"]),
            "it is a model over other features"
        );
        assert_eq!(
            refused(&MODEL.replace("[2, 0]", "[2]"), &["a", "b"]),
            "it is a model over other features"
        );
        assert_eq!(
            refused(&MODEL.replace("/1", "/2"), &["a", "b"]),
            "its format is `poc-demo/logistic-regression/2` and not `poc-demo/logistic-regression/1`"
        );
    }
}

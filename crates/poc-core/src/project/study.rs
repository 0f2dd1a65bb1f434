//! Studies: named subsets of a project's sites and admins (NVFlare 2.8 and later, api_version 4).

use std::collections::BTreeMap;

/// Who takes part in a study.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Study {
    /// Sites by the organisation that they belong to.
    pub site_orgs: BTreeMap<String, Vec<String>>,
    /// Admins.
    pub admins: Vec<String>,
}

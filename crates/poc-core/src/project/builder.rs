//! The builders of project.yml: classes of NVFlare by path, of which `poc` does the work itself.

use std::collections::BTreeMap;

use crate::version::Line;
use crate::yaml::Value;

/// A builder that project.yml names, with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Builder {
    /// Which.
    pub kind: BuilderKind,
    /// Its arguments.
    pub args: BTreeMap<String, Value>,
}

/// The builders whose work `poc` does. Others are refused: a kit without their part would lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuilderKind {
    /// Directories.
    Workspace,
    /// Templates (up to NVFlare 2.5).
    Template,
    /// The files of the kits.
    StaticFile,
    /// Certificates.
    Cert,
    /// Homomorphic encryption.
    He,
    /// signature.json.
    Signature,
}

impl BuilderKind {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 6] = [
        Self::Workspace,
        Self::Template,
        Self::StaticFile,
        Self::Cert,
        Self::He,
        Self::Signature,
    ];

    /// The class path, as project.yml has it.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Workspace => "nvflare.lighter.impl.workspace.WorkspaceBuilder",
            Self::Template => "nvflare.lighter.impl.template.TemplateBuilder",
            Self::StaticFile => "nvflare.lighter.impl.static_file.StaticFileBuilder",
            Self::Cert => "nvflare.lighter.impl.cert.CertBuilder",
            Self::He => "nvflare.lighter.impl.he.HEBuilder",
            Self::Signature => "nvflare.lighter.impl.signature.SignatureBuilder",
        }
    }

    /// Whether the builder has that argument, in any line of NVFlare. One that it has not is an error
    /// there; but for the static files, which from 2.7 on take all and pass over what they do not know.
    pub(super) fn takes(self, argument: &str) -> bool {
        match self {
            Self::Workspace => argument == "template_file",
            Self::StaticFile => true,
            Self::Cert => argument == "root_valid_days",
            Self::He => {
                let all = [
                    "poly_modulus_degree",
                    "coeff_mod_bit_sizes",
                    "scale_bits",
                    "scheme",
                ];
                all.contains(&argument)
            }
            Self::Template | Self::Signature => false,
        }
    }

    /// The builder of that path.
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.path() == path)
    }
}

impl Builder {
    pub(super) const fn plain(kind: BuilderKind) -> Self {
        Self {
            kind,
            args: BTreeMap::new(),
        }
    }
}

/// The builders of NVFlare's own default project of that line.
pub(super) fn defaults(line: Line) -> Vec<Builder> {
    let templates = [
        "master_template.yml",
        "aws_template.yml",
        "azure_template.yml",
    ];
    let templates = Value::List(templates.map(Value::from).to_vec());
    let mut builders = vec![Builder {
        kind: BuilderKind::Workspace,
        args: BTreeMap::from([("template_file".to_owned(), templates)]),
    }];
    if line <= Line::V2_5 {
        builders.push(Builder::plain(BuilderKind::Template));
    }
    builders.push(Builder {
        kind: BuilderKind::StaticFile,
        args: BTreeMap::from([("config_folder".to_owned(), Value::from("config"))]),
    });
    builders.push(Builder::plain(BuilderKind::Cert));
    builders.push(Builder::plain(BuilderKind::Signature));
    builders
}

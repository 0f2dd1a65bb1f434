//! How connections are secured.

use poc_core::project::Participant;

use super::Federation;
use super::template::Values;

/// What a participant or the project says; some lines leave the key out of the role file where nobody
/// says anything.
fn said<'a>(federation: &'a Federation<'_>, participant: &'a Participant) -> Option<&'a str> {
    let general = federation
        .project
        .extra
        .get("connection_security")
        .and_then(|value| value.as_text());
    participant.connection_security().or(general)
}

/// `mtls`, unless the participant or the project says otherwise.
pub(super) fn of<'a>(federation: &'a Federation<'_>, participant: &'a Participant) -> &'a str {
    said(federation, participant).unwrap_or("mtls")
}

/// The places of a role file for it.
pub(super) fn with(
    values: Values,
    federation: &Federation<'_>,
    participant: &Participant,
) -> Values {
    values
        .with("SECURITY", of(federation, participant).to_lowercase())
        .with(
            "OWN_SECURITY",
            said(federation, participant).map(str::to_lowercase),
        )
}

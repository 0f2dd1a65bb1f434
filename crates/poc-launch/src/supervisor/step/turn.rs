//! Who is launched when.
//!
//! NVFlare's processes, server and sites alike, begin with work for a whole core and without a pause:
//! imports, configuration, keys. Then they begin to open their listeners and wait for half a second.
//! That moment shows in their logs, and both rules here are made of it. Measurements are in
//! docs/design/fork-server.md.

use std::time::Duration;

use poc_core::project::Role;

use super::Machine;
use crate::supervisor::state::{Action, Phase};

/// The longest that a busy beginning may keep others waiting, whatever the log says: one of another
/// format says nothing. What is lost by waiting in vain is about what is lost by not waiting.
const BUSY: Duration = Duration::from_secs(2);

impl Machine {
    /// Launches those whose turn it is.
    ///
    /// **After the server.** A site that knocks before the server listens tries again only after two
    /// seconds. One that is launched when the server begins to open its listeners has its own
    /// beginning and its own half second before it, so it knocks later than the server listens, on
    /// however busy a machine.
    ///
    /// **A few at a time.** With more beginnings than cores each takes so long over what follows that
    /// sites miss what they wait for, and sleep for two seconds.
    pub(super) fn admit(&mut self) {
        for name in self.names_where(|phase| phase == Phase::Held) {
            if self.has_room() {
                self.launch(&name);
            }
        }
    }

    fn has_room(&self) -> bool {
        let mut busy = 0;
        for participant in self.state.participants.values() {
            let server = participant.role == Role::Server;
            // A server that comes back is worth waiting for.
            if server && matches!(participant.phase, Phase::Waiting { .. }) {
                return false;
            }
            if participant.busy_until().is_some() {
                if server {
                    return false;
                }
                busy += 1;
            }
        }
        busy < self.state.at_once.max(1)
    }

    /// Out of turn: the server, and what is started again.
    pub(super) fn launch(&mut self, name: &str) {
        if let Some(participant) = self.state.participants.get_mut(name) {
            participant.phase = Phase::Launching;
            participant.busy = Some(self.now + BUSY);
            participant.ready = false;
            self.actions.push(Action::Launch {
                name: name.to_owned(),
            });
        }
    }

    /// Its busy beginning is over.
    pub(super) fn underway(&mut self, name: &str) {
        if let Some(participant) = self.state.participants.get_mut(name)
            && let Phase::Alive { .. } = participant.phase
        {
            participant.busy = None;
        }
    }

    /// Nobody's beginning counts for longer than [`BUSY`].
    pub(super) fn forget_the_slow(&mut self) {
        for participant in self.state.participants.values_mut() {
            participant.busy = participant.busy.filter(|until| self.now < *until);
        }
    }
}

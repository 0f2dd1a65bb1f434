//! The lines of a console log that say how far a participant has come.

/// Longer lines are cut: what is looked for stands at their beginning.
const LONGEST_LINE: usize = 8 * 1024;

/// Something that a log line says. The texts are NVFlare's, of lines 2.5 to 2.9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// The server is up.
    ServerStarted,
    /// A relay is up, and has been accepted by the server.
    RelayStarted,
    /// The server takes admin commands.
    AdminStarted,
    /// The server serves clients (up to 2.7 that is a step of its own).
    ServerHot,
    /// In a client's log: it has registered, under this name.
    Registered {
        /// The client's name.
        client: String,
    },
    /// In the server's log: this client has registered, or come back to a server that was restarted.
    Joined {
        /// The client's name.
        client: String,
    },
    /// It begins to open a listener.
    OpensListener,
    /// A listener of this participant could not be opened; NVFlare goes on trying, even after it has
    /// said that it is up.
    CannotListen {
        /// What the system said.
        reason: String,
    },
    /// The process has shut down in an orderly way.
    GoodBye,
}

/// Reads a log as it grows, piece by piece, wherever the pieces are cut.
///
/// ```
/// use poc_launch::logs::{Scanner, Sighting};
/// let mut scanner = Scanner::default();
/// assert_eq!(scanner.feed(b"2026-11-24 17:02:08,110 - root - INFO - Server sta"), []);
/// assert_eq!(scanner.feed(b"rted\n"), [Sighting::ServerStarted]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    line: Vec<u8>,
}

impl Scanner {
    /// Takes new bytes of the log and returns what the lines that they complete say.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Sighting> {
        let mut sightings = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.keep(&rest[..end]);
            sightings.extend(read(&String::from_utf8_lossy(&self.line)));
            self.line.clear();
            rest = &rest[end + 1..];
        }
        self.keep(rest);
        sightings
    }

    /// Forgets the unfinished line, for a log that begins anew.
    pub fn reset(&mut self) {
        self.line.clear();
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

fn read(line: &str) -> Option<Sighting> {
    // The message follows the last part of `time - logger - level - ` (or, in colour, an escape).
    let message = line
        .rsplit_once(" - ")
        .map_or(line, |(_, message)| message)
        .trim();
    let message = message.strip_suffix("\u{1b}[0m").unwrap_or(message);
    if message == "Server started" {
        Some(Sighting::ServerStarted)
    } else if message == "Admin Server is started" || message.starts_with("Starting Admin Server ")
    {
        Some(Sighting::AdminStarted)
    } else if message.ends_with("Turning to hot.") {
        Some(Sighting::ServerHot)
    } else if message.starts_with("Started relay ") {
        Some(Sighting::RelayStarted)
    } else if message.starts_with("MPM: Good Bye!") {
        Some(Sighting::GoodBye)
    } else if let Some(rest) = message.strip_prefix("Successfully registered client:") {
        let (client, _) = rest.split_once(" for project ")?;
        Some(Sighting::Registered {
            client: client.to_owned(),
        })
    } else if let Some(rest) = message.strip_prefix("Client: New client ") {
        let (client, _) = rest.split_once('@')?;
        Some(Sighting::Joined {
            client: client.to_owned(),
        })
    } else if let Some(rest) = message.strip_prefix("Re-activate the client: ") {
        let (client, _) = rest.split_once(" at ")?;
        Some(Sighting::Joined {
            client: client.to_owned(),
        })
    } else if message.starts_with("Connector [") && message.contains(" PASSIVE ") {
        if message.ends_with("] is starting") {
            return Some(Sighting::OpensListener);
        }
        let (_, reason) = message.split_once(" failed with exception ")?;
        Some(Sighting::CannotListen {
            reason: reason.to_owned(),
        })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines as NVFlare 2.9 (above) and 2.5 to 2.7 (below) write them.
    const LOG: &str = "\
--- nvflare poc start Tue Nov 24 17:02:02 2026 ---
new pid 3590
2026-11-24 17:02:08,110 - hci - INFO - Admin Server is started
2026-11-24 17:02:08,110 - root - INFO - Server started
2026-11-24 17:02:09,852 - ClientManager - INFO - Client: New client site-1@192.0.2.2 joined. Sent token.  Total clients: 1
2026-11-24 17:02:09,912 - ClientManager - INFO - Client: New admin admin@nvidia.com@192.0.2.2 joined. Sent token.  Total clients: 1
2026-11-24 17:02:10,001 - FederatedClient - INFO - Successfully registered client:site-1 for project example_project.
2026-11-24 17:10:52,130 - MPM - INFO - MPM: Good Bye!
2024-05-01 10:00:00,000 - nvflare.fuel.hci.server.hci - INFO - Starting Admin Server localhost on Port 8003
2024-05-01 10:00:00,000 - FederatedServer - INFO - Got the primary sp: localhost fl_port: 8002. Turning to hot.
2024-05-01 10:00:01,000 - ClientManager - INFO - Client: New client a-b_c@127.0.0.1 joined. Sent token: 0b2c.  Total clients: 2
2024-05-01 10:00:01,000 - FederatedClient - INFO - Successfully registered client:a-b_c for project x. Token:0b2c SSID:ebc6
";

    #[test]
    fn the_lines_of_every_version() {
        let client = |name: &str| name.to_owned();
        assert_eq!(
            Scanner::default().feed(LOG.as_bytes()),
            [
                Sighting::AdminStarted,
                Sighting::ServerStarted,
                Sighting::Joined {
                    client: client("site-1")
                },
                Sighting::Registered {
                    client: client("site-1")
                },
                Sighting::GoodBye,
                Sighting::AdminStarted,
                Sighting::ServerHot,
                Sighting::Joined {
                    client: client("a-b_c")
                },
                Sighting::Registered {
                    client: client("a-b_c")
                },
            ]
        );
    }

    #[test]
    fn a_client_that_comes_back_to_a_restarted_server() {
        let line = "2026-11-24 18:38:49,356 - ClientManager - INFO - Re-activate the client: site-1 at site-1\n";
        let client = "site-1".to_owned();
        let sightings = Scanner::default().feed(line.as_bytes());
        assert_eq!(sightings, [Sighting::Joined { client }]);
    }

    #[test]
    fn a_port_that_is_taken() {
        let line = "2026-11-24 17:42:15,457 - conn_manager - ERROR - Connector [CH00001 PASSIVE \
                    http://0:8002] failed with exception OSError: [Errno 98] address already in use\n";
        let reason = "OSError: [Errno 98] address already in use".to_owned();
        let sightings = Scanner::default().feed(line.as_bytes());
        assert_eq!(sightings, [Sighting::CannotListen { reason }]);
        let starting = b"x - INFO - Connector [CH00001 PASSIVE http://0:8002] is starting\n";
        assert_eq!(Scanner::default().feed(starting), [Sighting::OpensListener]);
        let client = b"x - INFO - Connector [CH00001 ACTIVE http://h:8002] is starting\n";
        assert_eq!(Scanner::default().feed(client), []);
        let client = b"x - ERROR - Connector [CH1 ACTIVE http://h:8002] failed with exception X\n";
        assert_eq!(Scanner::default().feed(client), []);
    }

    #[test]
    fn an_endless_line_takes_no_endless_memory() {
        let mut scanner = Scanner::default();
        for _ in 0..100 {
            assert!(scanner.feed(&[b'x'; 4096]).is_empty());
        }
        assert!(scanner.line.len() <= LONGEST_LINE);
        assert_eq!(
            scanner.feed(b"\nServer started\n"),
            [Sighting::ServerStarted]
        );
    }

    #[test]
    fn a_reset_forgets_the_unfinished_line() {
        let mut scanner = Scanner::default();
        scanner.feed(b"Server ");
        scanner.reset();
        assert_eq!(scanner.feed(b"started\n"), []);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(cuts in proptest::collection::vec(0..LOG.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let whole = Scanner::default().feed(LOG.as_bytes());
            let mut scanner = Scanner::default();
            let mut seen = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([LOG.len()]) {
                seen.extend(scanner.feed(&LOG.as_bytes()[from..cut]));
                from = cut;
            }
            prop_assert_eq!(seen, whole);
        }
    }
}

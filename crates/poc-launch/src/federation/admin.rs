//! Admin operations on the running POC.

use std::time::Duration;

use camino::Utf8Path;
use serde_json::Value;

use super::{Federation, unexpected};
use crate::admin::{AdminOps, Link, Op};
use crate::supervisor::control::{Client, Reply, Request};
use crate::{Error, plan, stop};

/// What the supervisor may take longer than the operation itself: the queue before it, and the start
/// of its helper.
const ALLOWANCE: Duration = Duration::from_secs(15);

impl Federation {
    /// Admin operations, as the project admin: through the supervisor's helper, which is there already
    /// and answers within milliseconds, else through a helper of its own, for which a Python with
    /// NVFlare is needed.
    ///
    /// # Errors
    ///
    /// [`Error::ServerUnreachable`] where nothing runs that could be asked, or no Python is known;
    /// [`Error::AdminHelper`].
    pub fn admin(&self, python: Option<&Utf8Path>) -> Result<impl AdminOps + use<>, Error> {
        if let Some(client) = Client::connect(&self.prepared.workspace)? {
            return Ok(Channel::Supervisor(client));
        }
        let unreachable = |reason: &str| Error::ServerUnreachable {
            reason: reason.to_owned(),
        };
        let admin = plan::admin(&self.prepared)
            .ok_or_else(|| unreachable("the project admin has no startup kit"))?;
        let found = super::survey::scope(&self.prepared).find()?;
        let python = python
            .map(Utf8Path::to_owned)
            .or_else(|| stop::python_of(&self.prepared.workspace, &found))
            .ok_or_else(|| unreachable("no Python with NVFlare is known"))?;
        let link = Link::start(&python, &admin.kit, &admin.user, [])?;
        Ok(Channel::Own(Box::new(link)))
    }
}

enum Channel {
    Supervisor(Client),
    Own(Box<Link>),
}

impl AdminOps for Channel {
    fn call(&mut self, op: &Op, limit: Duration) -> Result<Value, Error> {
        let client = match self {
            Self::Supervisor(client) => client,
            Self::Own(link) => return link.call(op, limit),
        };
        let request = Request::Admin {
            operation: op.clone(),
            limit_s: limit.as_secs_f64(),
        };
        match client.ask(&request, limit + ALLOWANCE)? {
            Reply::Admin(value) => Ok(value),
            Reply::AdminFailed(failure) => Err(failure.into_error(op)),
            other => Err(unexpected(&other)),
        }
    }
}

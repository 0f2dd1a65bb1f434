//! Answering requests.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use super::act::entry;
use super::admin::Task;
use super::{Driver, replace};
use crate::admin::Failure;
use crate::plan::ParticipantPlan;
use crate::supervisor::Happening;
use crate::supervisor::control::{
    Line, ParticipantSnapshot, ParticipantState, Reply, Request, Snapshot,
};
use crate::supervisor::state::{Event, Phase};

impl Driver<'_> {
    pub(super) fn serve(&mut self) {
        if let Some(listener) = &self.listener
            && let Err(error) = self.connections.accept(listener)
        {
            self.trouble(format_args!("cannot accept a connection: {error}"));
        }
        for (connection, line) in self.connections.exchange() {
            let reply = match serde_json::from_slice(&line) {
                Ok(request) => self.answer(connection, request),
                Err(error) => Some(Reply::NotUnderstood(error.to_string())),
            };
            if let (Some(reply), Some(connection)) = (reply, self.connections.get(connection)) {
                connection.say(&Line::Reply(reply));
            }
        }
    }

    /// Does what is asked; `None` where the answer comes later.
    fn answer(&mut self, connection: u64, request: Request) -> Option<Reply> {
        let by = self.connections.get(connection).map(|it| it.peer);
        match request {
            Request::Status {} => Some(Reply::Status(self.snapshot())),
            Request::Watch {} => {
                if let Some(connection) = self.connections.get(connection) {
                    connection.watching = true;
                }
                Some(Reply::Status(self.snapshot()))
            }
            Request::Start {
                participants,
                environment,
            } => Some(self.start(participants, environment, by)),
            Request::Stop { names, abort_s } => {
                self.stop(names, abort_s, by);
                Some(Reply::Accepted)
            }
            Request::Restart { name } => {
                self.requested("restart", vec![name.clone()], by);
                self.feed(Event::Restart { name });
                Some(Reply::Accepted)
            }
            Request::Admin { operation, limit_s } => {
                let task = Task::Operation {
                    connection,
                    operation,
                    limit: seconds(limit_s),
                };
                match self.admin_worker() {
                    Ok(worker) => {
                        worker.ask(task);
                        None
                    }
                    Err(error) => Some(Reply::AdminFailed(Failure::from(&error))),
                }
            }
        }
    }

    fn start(
        &mut self,
        participants: Vec<ParticipantPlan>,
        environment: Option<Vec<(String, String)>>,
        by: Option<u32>,
    ) -> Reply {
        let environment: Option<super::Environment> = environment.map(|pairs| {
            pairs
                .into_iter()
                .map(|(name, value)| (OsString::from(name), OsString::from(value)))
                .collect()
        });
        let names = participants.iter().map(|plan| plan.name.clone()).collect();
        self.requested("start", names, by);
        let (mut started, mut refused) = (Vec::new(), Vec::new());
        let mut entries = Vec::new();
        for plan in participants {
            if let Some(why) = self.state.refusal(&plan.name) {
                refused.push((plan.name, why));
                continue;
            }
            started.push(plan.name.clone());
            entries.push(entry(&plan));
            match &environment {
                Some(environment) => {
                    let environment = environment.clone();
                    self.environments.insert(plan.name.clone(), environment);
                }
                None => drop(self.environments.remove(&plan.name)),
            }
            self.keep_plan(plan);
        }
        self.save_plan();
        if !entries.is_empty() {
            self.feed(Event::Start(entries));
        }
        Reply::Start { started, refused }
    }

    fn keep_plan(&mut self, plan: ParticipantPlan) {
        let known = self.plan.participants.iter_mut();
        match known.into_iter().find(|known| known.name == plan.name) {
            Some(known) => *known = plan,
            None => self.plan.participants.push(plan),
        }
    }

    /// For the next supervisor, should this one be killed.
    fn save_plan(&mut self) {
        let saved = serde_json::to_vec_pretty(&self.plan)
            .map_err(std::io::Error::from)
            .and_then(|text| replace(&self.workspace.plan_file(), &text, 0o600));
        if let Err(error) = saved {
            self.trouble(format_args!("cannot save the plan: {error}"));
        }
    }

    fn stop(&mut self, names: Option<Vec<String>>, abort_s: f64, by: Option<u32>) {
        self.requested("stop", names.clone().unwrap_or_default(), by);
        let with_server = match &names {
            None => true,
            Some(names) => {
                let names: BTreeSet<&String> = names.iter().collect();
                self.state.participants.iter().any(|(name, participant)| {
                    participant.role == poc_core::project::Role::Server && names.contains(name)
                })
            }
        };
        // One site fewer is the job's own affair; without the server there is no job.
        let jobs = with_server
            .then(|| self.jobs_to_abort(seconds(abort_s)))
            .flatten();
        self.backend.recall(names.as_deref());
        self.feed(Event::Stop { names, jobs });
    }

    fn requested(&mut self, op: &str, names: Vec<String>, by: Option<u32>) {
        self.tell(Happening::Request {
            op: op.to_owned(),
            names,
            by,
        });
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            supervisor: std::process::id(),
            ending: self.state.is_ending(),
            participants: self
                .plan
                .participants
                .iter()
                .filter_map(|plan| self.participant_snapshot(plan))
                .collect(),
        }
    }

    fn participant_snapshot(&self, plan: &ParticipantPlan) -> Option<ParticipantSnapshot> {
        let participant = self.state.participants.get(&plan.name)?;
        let child = self.children.get(&plan.name);
        let state = match participant.phase {
            Phase::Stopped => ParticipantState::Stopped,
            Phase::Alive { .. } if child.is_some_and(|child| child.been_ready) => {
                ParticipantState::Running
            }
            Phase::Held | Phase::Launching | Phase::Alive { .. } => ParticipantState::Starting,
            Phase::Waiting { .. } => ParticipantState::Restarting,
            Phase::Stopping { .. } | Phase::Stuck { .. } => ParticipantState::Stopping,
            Phase::Failed => ParticipantState::Failed,
        };
        let identity = child.and_then(|child| child.identity.as_ref());
        Some(ParticipantSnapshot {
            name: plan.name.clone(),
            role: plan.role,
            state,
            pid: participant.phase.pid(),
            start_time: identity.map(|identity| identity.start_time),
            restarts: participant.restarts,
            ready: participant.ready,
            gpus: plan.gpus.clone(),
            log: plan.log.clone(),
        })
    }
}

/// A duration from the wire; nonsense counts as none.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

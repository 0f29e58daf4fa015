//! What this node says as one of several arbiters of a task: it takes its seat, confirms those of the others, and answers
//! whoever wants something of the register. All of it follows from what is on disk.

use super::arbitration::Decision;
use super::{NodeState, RETRY_AFTER};
use crate::id::NodeId;
use crate::log::chain_id::EpochId;
use crate::tasks::record::TaskRecord;
use crate::tasks::register::{Acceptor, RegisterWord, Seat, Standing};
use crate::tasks::{TaskId, TaskItem};
use crate::time::Now;

impl NodeState {
    /// What this node says of a task that several decide on: as its creator, as an arbiter, as one that wants something.
    pub(super) fn register_decision(&mut self, now: Now, id: TaskId) -> Decision {
        let Some(record) = self.tasks.table.record(id) else {
            return Decision::Nothing;
        };
        if record.task(id).is_none_or(|task| task.is_over()) {
            self.tasks.attempts.remove(&id);
            return Decision::Nothing;
        }
        let word = match record.register().is_open() {
            false => self.opening(now, record),
            true => None,
        };
        if let Some(word) = word.or_else(|| self.confirmation(record)) {
            return Decision::Say(Box::new(TaskItem::Register { task: id, word }));
        }
        match self.arbiter_word(now, id) {
            Decision::Nothing => self.attempt(now, id),
            // What waits to be sure of itself may still want something as anybody else does.
            Decision::LookAgain(at) => match self.attempt(now, id) {
                Decision::Nothing => Decision::LookAgain(at),
                Decision::LookAgain(sooner) => Decision::LookAgain(at.min(sooner)),
                say @ Decision::Say(_) => say,
            },
            say @ Decision::Say(_) => say,
        }
    }

    /// By the creator: all have taken their seats.
    fn opening(&self, now: Now, record: &TaskRecord) -> Option<RegisterWord> {
        let task = record.creator()?;
        let epoch = self.known_epoch(now)?;
        if task != self.me || record.created_in() != Some(epoch) {
            return None;
        }
        let register = record.register();
        let seats = record.register_arbiters().iter();
        let seats: Option<Vec<Seat>> = seats.map(|node| register.asked_seat(*node)).collect();
        let epochs = seats?.iter().map(|seat| seat.epoch).collect();
        Some(RegisterWord::Opened { epochs })
    }

    /// By an arbiter: another one has taken its seat anew.
    fn confirmation(&self, record: &TaskRecord) -> Option<RegisterWord> {
        let arbiters = record.register_arbiters();
        let register = record.register();
        if !arbiters.contains(&self.me) || !register.is_open() {
            return None;
        }
        let mut others = arbiters.iter().filter(|node| **node != self.me);
        let (node, seat) = others.find_map(|node| {
            let asked = register.asked_seat(*node)?;
            let stands = register.seat(*node);
            let confirmed = register.seat_confirmed(*node, self.me);
            let news = stands <= Some(asked) && asked.turn > 0 && confirmed < Some(asked);
            news.then_some((*node, asked))
        })?;
        let own = register.acceptor(self.me, true);
        Some(RegisterWord::Confirmed {
            node,
            seat,
            promised: own.promise(),
            accepted: own.last().cloned(),
        })
    }

    /// By an arbiter: its seat, where it has none in the epoch that it writes in, or else an answer.
    fn arbiter_word(&mut self, now: Now, id: TaskId) -> Decision {
        let me = self.me;
        let Some(record) = self.tasks.table.record(id) else {
            return Decision::Nothing;
        };
        let is_arbiter = record.register_arbiters().contains(&me);
        let register = record.register();
        if !is_arbiter || (register.is_open() && unanswered(record, me).is_none()) {
            return Decision::Nothing;
        }
        let Some(epoch) = self.writing_epoch(now) else {
            return Decision::LookAgain(now.monotonic + RETRY_AFTER);
        };
        let Some(record) = self.tasks.table.record(id) else {
            return Decision::Nothing;
        };
        let say = |word| Decision::Say(Box::new(TaskItem::Register { task: id, word }));
        let register = record.register();
        if register.is_sure(me, epoch, record.register_arbiters()) {
            return answer(record, me, epoch).map_or(Decision::Nothing, say);
        }
        let asked = register.asked_seat(me);
        if asked.is_some_and(|seat| seat.epoch == epoch) {
            return Decision::Nothing;
        }
        let known = asked.max(register.seat(me));
        let turn = match register.is_open() {
            true => known.map_or(1, |seat| seat.turn.saturating_add(1)),
            false => 0,
        };
        say(RegisterWord::Seated { turn })
    }

    /// The epoch that this node writes in, or would without opening a new one.
    fn known_epoch(&self, _now: Now) -> Option<EpochId> {
        let members = self.roster.as_ref().map_or(0, |roster| roster.len());
        self.log.own.current_or_confirmed(members)
    }
}

/// What is wanted of this arbiter and not answered, nor refused by a later promise.
fn unanswered(record: &TaskRecord, me: NodeId) -> Option<RegisterWord> {
    answer_as(record, me, EpochId([0; 16]), |_| true)
}

/// The answer to what is wanted, from an arbiter that knows all that it has said.
fn answer(record: &TaskRecord, me: NodeId, seat: EpochId) -> Option<RegisterWord> {
    let epochs = record.register().epochs(record.register_arbiters());
    answer_as(record, me, seat, |counted_on| counted_on == epochs)
}

fn answer_as(
    record: &TaskRecord,
    me: NodeId,
    seat: EpochId,
    counts_on_this_seat: impl Fn(&[EpochId]) -> bool,
) -> Option<RegisterWord> {
    let register = record.register();
    let own: Acceptor<Standing> = register.acceptor(me, true);
    let requests = register.requests().into_iter();
    let mut requests = requests.filter(|request| counts_on_this_seat(&request.epochs));
    requests.find_map(|request| {
        let ballot = request.ballot;
        match request.value.clone() {
            Some(value) => {
                let accepts = own.clone().accept(ballot, value.clone()).is_ok();
                let news = own.last().map(|(last, _)| *last) != Some(ballot);
                (accepts && news).then_some(RegisterWord::Accepted {
                    ballot,
                    seat,
                    value,
                })
            }
            None => {
                let accepted = own.clone().prepare(ballot).ok()?;
                (register.promised(me) < Some(ballot)).then_some(RegisterWord::Promised {
                    ballot,
                    seat,
                    accepted,
                })
            }
        }
    })
}

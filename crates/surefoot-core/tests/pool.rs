//! The pool against a model of its surroundings, on random histories.
//!
//! One thread plays all workers, so every history is a table of steps that proptest can shrink. A
//! wake-up or a thread on its way is a thing of its own here: a step of its own delivers it, late
//! or early. After each step the pool is compared with what the model knows, and the guarantees of
//! the protocol's page are checked; at the end everything is let run until nothing moves.
#![cfg(not(surefoot_loom))]

use std::collections::VecDeque;
use std::ptr;
use std::sync::Arc;

use proptest::prelude::*;
use surefoot_core::parker::{Parker, Wake};
use surefoot_core::pool::{
    Action, Block, Bounds, Closed, Next, Pool, Refused, Rejected, Retire, Ticket, Worker,
};
use surefoot_core::sample::{Outcome, Sample};

/// One step. The numbers choose among what there is, modulo its count.
#[derive(Clone, Copy, Debug)]
enum Step {
    Submit,
    /// In line, if there is no room.
    SubmitPatiently,
    SubmitAnyway,
    /// One of those in line goes away.
    GiveUp(usize),
    Reserve,
    SubmitReserved,
    Unreserve,
    /// A thread that was asked for enters.
    Enter(usize),
    StartFails(usize),
    /// A wake-up arrives.
    Deliver(usize),
    /// A worker that is between two tasks asks for the next.
    Next(usize),
    Finish(usize, Outcome),
    /// The wait of a worker times out.
    TimeOut(usize),
    /// The thread of a worker that is between two tasks dies.
    Die(usize),
    /// Somebody who may make threads comes by.
    MakeThreads,
    SetLimit(usize),
    SetCap(usize, bool),
    Withdraw,
    Close(Closed),
}

fn step() -> impl Strategy<Value = Step> {
    let pick = 0..64_usize;
    let outcome = prop::sample::select(&[Outcome::Done, Outcome::Failed, Outcome::Cancelled]);
    let closed = prop::sample::select(&[Closed::Shutdown, Closed::Broken, Closed::Exit]);
    prop_oneof![
        9 => Just(Step::Submit),
        9 => Just(Step::SubmitPatiently),
        1 => Just(Step::SubmitAnyway),
        1 => pick.clone().prop_map(Step::GiveUp),
        2 => Just(Step::Reserve),
        2 => Just(Step::SubmitReserved),
        1 => Just(Step::Unreserve),
        8 => pick.clone().prop_map(Step::Enter),
        1 => pick.clone().prop_map(Step::StartFails),
        8 => pick.clone().prop_map(Step::Deliver),
        16 => pick.clone().prop_map(Step::Next),
        10 => (pick.clone(), outcome).prop_map(|(pick, outcome)| Step::Finish(pick, outcome)),
        4 => pick.clone().prop_map(Step::TimeOut),
        1 => pick.prop_map(Step::Die),
        2 => Just(Step::MakeThreads),
        2 => (0..9_usize).prop_map(Step::SetLimit),
        1 => (0..9_usize, any::<bool>()).prop_map(|(cap, with_limit)| Step::SetCap(cap, with_limit)),
        1 => Just(Step::Withdraw),
        1 => closed.prop_map(Step::Close),
    ]
}

/// One of the pool's ways to submit.
type Submit = fn(&Pool<u32>, u32, u64) -> Result<Action, Rejected<u32>>;

fn bounds() -> impl Strategy<Value = Bounds> {
    (1..4_usize, 1..6_usize, 0..3_usize).prop_map(|(min_workers, limit, room)| Bounds {
        min_workers,
        limit,
        cap: limit + room,
    })
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Started or woken for the queue's sake, and has not asked for a task yet.
    Coming,
    /// Between two tasks.
    Asking,
    Running,
    Parked,
}

struct Player {
    worker: Worker,
    state: State,
}

/// The pool and everything around it.
struct Play {
    pool: Pool<u32>,
    min_workers: usize,
    cap_max: usize,
    closed: Option<Closed>,
    /// Tasks submitted so far; the next one's number.
    submitted: u32,
    given_back: u64,
    max_queue: usize,
    reserved: usize,
    /// Submitters in line with their tasks.
    line: VecDeque<(Ticket, u32)>,
    cancelled: u64,
    ended: u64,
    /// What the queue must hold.
    queue: VecDeque<u32>,
    /// Threads on their way.
    starting: Vec<usize>,
    /// Wake-ups on their way.
    grants: Vec<Arc<Parker>>,
    /// Somebody who may make threads was told, and has not come yet.
    is_thread_needed: bool,
    /// A thread could not be made, and nobody who may make one has asked since.
    is_starved: bool,
    players: Vec<Player>,
}

impl Play {
    fn new(bounds: Bounds, max_queue: Option<usize>) -> Self {
        let pool = Pool::new(bounds);
        Self {
            pool: if let Some(max_queue) = max_queue { pool.with_max_queue(max_queue) } else { pool },
            max_queue: max_queue.unwrap_or(usize::MAX),
            reserved: 0,
            line: VecDeque::new(),
            min_workers: bounds.min_workers,
            cap_max: bounds.cap,
            closed: None,
            submitted: 0,
            given_back: 0,
            cancelled: 0,
            ended: 0,
            queue: VecDeque::new(),
            starting: Vec::new(),
            grants: Vec::new(),
            is_thread_needed: false,
            is_starved: false,
            players: Vec::new(),
        }
    }

    fn note(&mut self, action: Action) {
        match action {
            Action::None => {}
            Action::Grant(parker) => self.grants.push(parker),
            Action::Start(index) => self.starting.push(index),
            Action::NeedsThread => self.is_thread_needed = true,
        }
    }

    /// The `pick`th player in one of the states, round and round.
    fn pick(&self, states: &[State], pick: usize) -> Option<usize> {
        let is_meant = |place: &usize| states.contains(&self.players[*place].state);
        let places: Vec<usize> = (0..self.players.len()).filter(is_meant).collect();
        (!places.is_empty()).then(|| places[pick % places.len()])
    }

    fn count(&self, state: State) -> usize {
        self.players.iter().filter(|player| player.state == state).count()
    }

    fn is_granted(&self, place: usize) -> bool {
        let parker = self.players[place].worker.parker();
        self.grants.iter().any(|grant| ptr::eq(Arc::as_ptr(grant), parker))
    }

    fn live(&self) -> usize {
        self.starting.len() + self.players.len()
    }

    /// Permits given out to somebody who has not asked for a task since.
    fn promised(&self) -> usize {
        self.starting.len() + self.grants.len() + self.count(State::Coming)
    }

    /// Permits given out.
    fn admitted(&self) -> usize {
        self.promised() + self.count(State::Asking) + self.count(State::Running)
    }

    /// Workers asleep that nobody is about to wake.
    fn parked(&self) -> usize {
        self.count(State::Parked) - self.grants.len()
    }

    /// Takes a grant that has arrived.
    fn wake(&mut self, place: usize) {
        let player = &mut self.players[place];
        assert_eq!(player.state, State::Parked, "a worker that does not sleep was woken");
        player.worker.woken();
        player.state = State::Coming;
    }

    /// Carries out a step, if there is anything to carry it out on; whether there was.
    fn step(&mut self, step: Step) -> bool {
        let admitted_before = self.admitted();
        let did = self.act(step).is_some();
        self.serve_line();
        self.check(admitted_before);
        did
    }

    fn act(&mut self, step: Step) -> Option<()> {
        match step {
            Step::Submit => self.submit(Pool::submit),
            Step::SubmitAnyway => self.submit(Pool::submit_anyway),
            Step::SubmitPatiently => self.submit_patiently(),
            Step::GiveUp(pick) => {
                let place = (!self.line.is_empty()).then(|| pick % self.line.len())?;
                let (ticket, task) = self.line.remove(place)?;
                let rejected = self.pool.unblock(&ticket).expect_err("it was not served");
                assert_eq!((rejected.task, rejected.why), (Some(task), Refused::Full));
                self.given_back += 1;
            }
            Step::Reserve => {
                let expected = match self.closed {
                    Some(closed) => Err(Refused::Closed(closed)),
                    None if !self.has_room() => Err(Refused::Full),
                    None => Ok(()),
                };
                assert_eq!(self.pool.reserve(), expected);
                self.reserved += usize::from(expected.is_ok());
            }
            Step::SubmitReserved => {
                self.reserved = self.reserved.checked_sub(1)?;
                self.submit(Pool::submit_reserved);
            }
            Step::Unreserve => {
                self.reserved = self.reserved.checked_sub(1)?;
                let action = self.pool.unreserve();
                self.note(action);
            }
            Step::Enter(pick) => {
                let index = take(&mut self.starting, pick)?;
                self.players.push(Player { worker: self.pool.enter(index, None), state: State::Coming });
            }
            Step::StartFails(pick) => {
                let index = take(&mut self.starting, pick)?;
                self.start_failed(index);
            }
            Step::Deliver(pick) => {
                let grant = take(&mut self.grants, pick)?;
                grant.grant();
                let is_its = |player: &Player| ptr::eq(Arc::as_ptr(&grant), player.worker.parker());
                let place = self.players.iter().position(is_its).expect("a worker that left was woken");
                assert_eq!(self.players[place].worker.parker().wait(Some(0)), Wake::Granted);
                self.wake(place);
            }
            Step::Next(pick) => {
                let place = self.pick(&[State::Coming, State::Asking], pick)?;
                self.next(place);
            }
            Step::Finish(pick, outcome) => {
                let place = self.pick(&[State::Running], pick)?;
                let action = self.pool.finish(&Sample::default(), outcome, 0);
                self.note(action);
                self.players[place].state = State::Asking;
                *if outcome == Outcome::Cancelled { &mut self.cancelled } else { &mut self.ended } += 1;
            }
            Step::TimeOut(pick) => {
                let place = self.pick(&[State::Parked], pick)?;
                let is_last = self.closed.is_none() && self.live() <= self.min_workers;
                let retire = self.pool.retire(&self.players[place].worker);
                if self.is_granted(place) {
                    assert_eq!(retire, Retire::Granted);
                } else if is_last {
                    assert_eq!(retire, Retire::Stay);
                } else {
                    assert_eq!(retire, Retire::Leave);
                    self.players.remove(place);
                }
            }
            Step::Die(pick) => {
                let place = self.pick(&[State::Coming, State::Asking], pick)?;
                let player = self.players.remove(place);
                let action = self.pool.lost(&player.worker);
                self.note(action);
            }
            Step::MakeThreads => self.make_threads(),
            Step::SetLimit(limit) => {
                let action = self.pool.set_limit(limit);
                self.note(action);
            }
            Step::SetCap(cap, with_limit) => {
                self.cap_max = self.cap_max.max(cap);
                let action = self.pool.set_cap(cap, with_limit);
                self.note(action);
            }
            Step::Withdraw => {
                let task = self.pool.withdraw();
                assert_eq!(task, self.queue.pop_front());
                self.cancelled += u64::from(task.is_some());
            }
            Step::Close(why) => {
                let action = self.pool.close(why);
                self.note(action);
                let stands = self.closed.filter(|&before| before != Closed::Shutdown);
                self.closed = stands.or(Some(why));
                assert_eq!(self.pool.closed(), self.closed);
            }
        }
        Some(())
    }

    /// Whether one more task may wait: some may, and one for each free worker.
    fn has_room(&self) -> bool {
        let free = self.pool.limit_and_cap().0.saturating_sub(self.count(State::Running));
        self.queue.len() + self.reserved < self.max_queue.saturating_add(free)
    }

    fn submit(&mut self, how: Submit) {
        let (task, had_room) = (self.submitted, self.has_room());
        let is_bounded = ptr::fn_addr_eq(how, Pool::submit as Submit);
        match how(&self.pool, task, 0) {
            Ok(action) => {
                assert_eq!(self.closed, None);
                assert!(had_room || !is_bounded, "more wait than may");
                self.submitted += 1;
                self.queue.push_back(task);
                self.is_starved = false;
                self.note(action);
            }
            Err(rejected) => {
                assert_eq!(rejected.task, task);
                match rejected.why {
                    Refused::Closed(closed) => assert_eq!(Some(closed), self.closed),
                    Refused::Full => assert!(is_bounded && !had_room, "there was room"),
                }
            }
        }
    }

    fn submit_patiently(&mut self) {
        let (task, had_room) = (self.submitted, self.has_room());
        match self.pool.block(Some(task), 0) {
            Ok(Block::Accepted(action)) => {
                assert!(had_room && self.line.is_empty(), "it went past the line");
                self.queue.push_back(task);
                self.is_starved = false;
                self.note(action);
            }
            Ok(Block::Waits(ticket)) => {
                assert!(!had_room, "there was room");
                self.line.push_back((ticket, task));
            }
            Err(rejected) => {
                let closed = self.closed.expect("an open pool has a line");
                assert_eq!((rejected.task, rejected.why), (Some(task), Refused::Closed(closed)));
                return;
            }
        }
        self.submitted += 1;
    }

    /// Those in line that were granted go their way, in order.
    fn serve_line(&mut self) {
        let is_served = |(ticket, _): &(Ticket, u32)| ticket.parker().is_granted();
        let served = self.line.iter().take_while(|&one| is_served(one)).count();
        let mut rest = self.line.split_off(served);
        std::mem::swap(&mut rest, &mut self.line);
        assert!(!self.line.iter().any(is_served), "one was served before another that came earlier");
        for (ticket, task) in rest {
            match self.pool.unblock(&ticket) {
                Ok(()) => self.queue.push_back(task),
                Err(rejected) => {
                    let closed = self.closed.expect("an open pool serves its line");
                    assert_eq!((rejected.task, rejected.why), (Some(task), Refused::Closed(closed)));
                    self.given_back += 1;
                }
            }
        }
    }

    fn start_failed(&mut self, index: usize) {
        let newest = self.submitted.checked_sub(1);
        let place = self.queue.iter().rposition(|&task| Some(task) == newest);
        let given_back = self.pool.start_failed(index, |&task| Some(task) == newest);
        self.is_starved = true;
        if let Some(place) = place.filter(|_| self.live() == 0) {
            assert_eq!(given_back, self.queue.remove(place));
            self.given_back += 1;
            return;
        }
        assert_eq!(given_back, None);
        // A worker that was woken instead has its grant already.
        let is_woken = |place: &usize| {
            let Player { worker, state } = &self.players[*place];
            *state == State::Parked && worker.parker().wait(Some(0)) == Wake::Granted
        };
        if let Some(place) = (0..self.players.len()).find(is_woken) {
            self.wake(place);
        }
    }

    fn next(&mut self, place: usize) {
        let is_surplus = self.admitted() > self.pool.limit_and_cap().0;
        match self.pool.next(&mut self.players[place].worker, 0) {
            Next::Run { task, action, .. } => {
                assert!(!is_surplus, "a task was given out beyond the limit");
                assert_eq!(Some(task), self.queue.pop_front());
                self.players[place].state = State::Running;
                self.is_starved = false;
                self.note(action);
            }
            Next::Park => {
                assert!(is_surplus || (self.queue.is_empty() && self.closed.is_none()));
                self.players[place].state = State::Parked;
            }
            Next::Leave(action) => {
                assert!(!is_surplus && self.queue.is_empty() && self.closed.is_some());
                self.players.remove(place);
                self.note(action);
            }
        }
    }

    fn make_threads(&mut self) {
        self.is_starved = false;
        self.is_thread_needed = false;
        while let Action::Start(index) = self.claim_start() {
            self.starting.push(index);
        }
    }

    fn claim_start(&mut self) -> Action {
        match self.pool.claim_start() {
            Action::Grant(parker) => {
                self.grants.push(parker);
                Action::None
            }
            action => action,
        }
    }

    /// Compares the pool with what is known here, and checks what must hold between two steps.
    fn check(&self, admitted_before: usize) {
        let snapshot = self.pool.snapshot(0);
        let (limit, running) = (snapshot.limit, self.count(State::Running));
        assert_eq!(snapshot.workers_live, self.live());
        assert_eq!(self.pool.workers_parked(), self.parked());
        assert_eq!(snapshot.queue_length, self.queue.len());
        assert_eq!(self.pool.is_idle(), self.queue.is_empty() && running == 0);

        // G1, by the books: every task is in one place.
        let tasks = snapshot.tasks;
        assert_eq!(tasks.submitted, u64::from(self.submitted) - self.given_back - self.line.len() as u64);
        assert_eq!(snapshot.submitters_blocked, self.line.len());
        assert_eq!(tasks.running, running as u64);
        assert_eq!((tasks.done + tasks.failed, tasks.cancelled), (self.ended, self.cancelled));
        let sum = self.queue.len() as u64 + tasks.running + tasks.done + tasks.failed + tasks.cancelled;
        assert_eq!(tasks.submitted, sum);

        // G2: if a task waits for which nobody is coming, and somebody could come, then somebody
        // who will look again is on the way.
        let is_short = self.queue.len() > self.promised() && self.admitted() < limit;
        let could_start = self.live() < limit && !self.is_starved;
        if is_short && (self.parked() > 0 || could_start) {
            assert!(self.promised() > 0 || self.is_thread_needed, "a wake-up was lost");
        }

        // G7: nobody is in line while there is room.
        assert!(self.line.is_empty() || !self.has_room(), "a submitter was forgotten");
        assert!(self.line.is_empty() || self.closed.is_none());

        // G3: more permits than the limit are only left over, or given out to leave.
        assert!(limit >= 1 && limit <= snapshot.cap);
        assert!(self.live() <= self.cap_max);
        if self.admitted() > admitted_before && self.closed.is_none() {
            assert!(self.admitted() <= limit);
        }
    }

    /// Lets everything that can happen by itself happen, but for the end of tasks.
    fn settle(&mut self) {
        while (self.is_thread_needed || self.is_starved) && self.step(Step::MakeThreads)
            || self.step(Step::Enter(0))
            || self.step(Step::Deliver(0))
            || self.step(Step::Next(0))
        {}
    }

    /// Lets everything happen.
    fn play_out(&mut self) {
        while self.step(Step::Unreserve) {}
        self.settle();
        // G4: as many tasks run at once as the limit allows, though none ends.
        let running = self.count(State::Running);
        let limit = self.pool.limit_and_cap().0;
        assert!(running >= limit.min(running + self.queue.len()), "{running} run of {limit}");
        while self.step(Step::Finish(0, Outcome::Done)) {
            self.settle();
        }
        assert_eq!((self.queue.len(), self.count(State::Running), self.line.len()), (0, 0, 0));
        // G5: a closed pool is left by all.
        self.step(Step::Close(Closed::Shutdown));
        self.settle();
        assert_eq!((self.live(), self.pool.workers_live()), (0, 0));
    }
}

/// Takes out one of what there is.
fn take<T>(things: &mut Vec<T>, pick: usize) -> Option<T> {
    (!things.is_empty()).then(|| things.remove(pick % things.len()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_guarantees(
        bounds in bounds(),
        max_queue in prop::option::of(0..4_usize),
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let mut play = Play::new(bounds, max_queue);
        for step in steps {
            play.step(step);
        }
        play.play_out();
    }
}

#[test]
fn who_stepped_out_counts_against_neither_limit_nor_cap() {
    let pool: Pool<u32> = Pool::new(Bounds { min_workers: 1, limit: 1, cap: 1 });
    let mut crew = Vec::new();
    for task in 0..3 {
        let Ok(action) = pool.submit(task, 0) else { panic!("the pool is open") };
        // The first by its submission; each other by the step of the one before it.
        let action = if task == 0 { action } else { pool.step_out() };
        let Action::Start(index) = action else { panic!("task {task} got no thread") };
        let mut worker = pool.enter(index, None);
        assert!(matches!(pool.next(&mut worker, 0), Next::Run { task: taken, .. } if taken == task));
        crew.push(worker);
    }
    assert_eq!(pool.snapshot(0).workers_joining, 2);
    pool.step_in();
    pool.step_in();
    // All run on, and at the boundary of its task each but one is a surplus.
    assert!(matches!(pool.next(&mut crew[0], 0), Next::Park));
    assert!(matches!(pool.next(&mut crew[1], 0), Next::Park));
    assert_eq!(pool.workers_live(), 3);
}

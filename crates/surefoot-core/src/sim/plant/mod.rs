//! The plant: interpreter and machine in virtual time, driving the product's own pool and regulator.
//!
//! What is the product's code here: the [`Pool`] (queue, permits, order of waking, joiners, ledger),
//! the [`Regulator`] (looks, windows, the liveness guard) and the controller. What is modelled: the
//! threads, the GIL, the cores, the remote servers, the tasks and the sensors.
//!
//! Not modelled: workers that retire, what submitting costs the submitter, memory.

mod cores;
mod gil;
mod remote;
mod run;
mod watch;
mod workers;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use self::cores::{Quota, Shared};
use self::gil::Gil;
pub use self::remote::Server;
use self::remote::Station;
use super::load::{Arrival, Step, Tasks};
use super::machine::Machine;
use super::random::Random;
use super::sensors::{Fault, Sensors};
use super::trace::Trace;
use crate::controller::Controller;
use crate::pool::{Bounds, Pool, Worker};
use crate::regulator::{Decider, Regulator};

/// Everything that a run is about, the controller apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// The machine.
    pub machine: Machine,
    /// Changes of the cores while running: from then on so many, by affinity.
    pub core_changes: Vec<(u64, f64)>,
    /// Servers outside the process.
    pub servers: Vec<Server>,
    /// What the tasks do.
    pub tasks: Tasks,
    /// When they come.
    pub arrival: Arrival,
    /// A thread that is not of the pool: computes under the GIL for so long, sleeps for so long.
    pub hog: Option<(u64, u64)>,
    /// What is wrong with the sensors.
    pub fault: Fault,
    /// The pool's cap.
    pub cap: usize,
    /// Wall times count from here on.
    pub warm_up_ns: u64,
}

/// Who chooses the limit of a run.
#[derive(Debug)]
pub enum Rule {
    /// Nobody: the pool is of this size.
    Constant(usize),
    /// A controller.
    Controlled {
        /// The controller.
        controller: Box<dyn Controller>,
        /// Its control interval.
        interval_ns: u64,
        /// The limit at first.
        limit: usize,
        /// The limit never goes below.
        min_workers: usize,
    },
}

/// Runs `setup` for at most `length_ns` of virtual time.
pub fn run(setup: &Setup, rule: Rule, seed: u64, length_ns: u64) -> Trace {
    Plant::new(setup, rule, seed).run(length_ns)
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    /// The thread's wait is over; it wants the GIL to go on.
    Ready(usize),
    /// The woken waiter reaches for the GIL.
    Reach(usize),
    /// A sleep that kept the GIL is over.
    EndHold(usize),
    Arrive,
    Tick,
    Cores(usize),
}

/// What a thread does once it has the GIL.
#[derive(Clone, Copy, Debug, PartialEq)]
enum After {
    /// Goes on with the computation that it was made to interrupt.
    Resume(f64),
    /// The phase is over.
    Next,
    /// The wait for another task is over.
    Joined,
    /// It is new, and asks for its first task.
    Enter,
    /// It was parked.
    Woken,
    /// The attendant makes threads.
    MakeThreads,
    /// The hog computes.
    Hog,
}

#[derive(Debug)]
struct Thread {
    worker: Option<Worker>,
    after: After,
    steps: Vec<Step>,
    at: usize,
    /// The task that it runs.
    task: usize,
    started_ns: u64,
    queued_ns: u64,
    attach_wait_ns: u64,
    cpu_ns: f64,
    /// When it was ready, for the wait to attach.
    ready_ns: u64,
}

impl Thread {
    fn new(worker: Option<Worker>, after: After) -> Self {
        Self {
            worker,
            after,
            steps: Vec::new(),
            at: 0,
            task: 0,
            started_ns: 0,
            queued_ns: 0,
            attach_wait_ns: 0,
            cpu_ns: 0.0,
            ready_ns: 0,
        }
    }
}

/// Threads that are not workers come first.
const ATTENDANT: usize = 0;
const HOG: usize = 1;
const FIRST_WORKER: usize = 2;

/// What the holder of the GIL does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holding {
    /// Nobody holds it.
    Nothing,
    /// Computes; so much is left.
    Computing(f64),
    /// Sleeps.
    Sleeping,
}

#[derive(Debug)]
struct Plant<'a> {
    setup: &'a Setup,
    machine: Machine,
    pool: Pool<usize>,
    regulator: Option<Regulator>,
    is_watched: bool,
    sensors: Sensors,
    now_ns: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    event_count: u64,
    threads: Vec<Thread>,
    by_parker: HashMap<usize, usize>,
    gil: Gil,
    holding: Holding,
    free: Shared,
    quota: Option<Quota>,
    stations: Vec<Station>,
    /// Of a graph: what is done, and who waits for it.
    done: Vec<bool>,
    joiners: Vec<Vec<usize>>,
    meeting: Vec<usize>,
    is_attendant_out: bool,
    creator_free_ns: u64,
    submitted: usize,
    submit_queue: VecDeque<usize>,
    process_cpu_ns: f64,
    workers_cpu_ns: f64,
    runqueue_ns: f64,
    allowance_read_ns: Option<u64>,
    allowance_throttles: u64,
    is_throttled_lately: bool,
    cores_read: f64,
    gil_random: Random,
    seed: u64,
    trace: Trace,
}

impl<'a> Plant<'a> {
    fn new(setup: &'a Setup, rule: Rule, seed: u64) -> Self {
        let machine = setup.machine;
        let (bounds, regulator) = match rule {
            Rule::Constant(workers) => (Bounds::fixed(workers), None),
            Rule::Controlled { controller, interval_ns, limit, min_workers } => {
                let cap = setup.cap;
                let limit = limit.clamp(1, cap);
                let regulator = Regulator::new(Decider::Native(controller), interval_ns, min_workers);
                (Bounds { min_workers: min_workers.min(cap), limit, cap }, Some(regulator))
            }
        };
        let task_count = if let Tasks::Graph(tasks) = &setup.tasks { tasks.len() } else { 0 };
        Self {
            setup,
            machine,
            pool: Pool::new(bounds),
            regulator,
            is_watched: false,
            sensors: Sensors::new(setup.fault, seed),
            now_ns: 0,
            events: BinaryHeap::new(),
            event_count: 0,
            threads: vec![Thread::new(None, After::MakeThreads), Thread::new(None, After::Hog)],
            by_parker: HashMap::new(),
            gil: Gil::new(machine.switch_interval_ns),
            holding: Holding::Nothing,
            free: Shared::default(),
            quota: Quota::of(&machine),
            stations: setup.servers.iter().copied().map(Station::new).collect(),
            done: vec![false; task_count],
            joiners: vec![Vec::new(); task_count],
            meeting: Vec::new(),
            is_attendant_out: false,
            creator_free_ns: 0,
            submitted: 0,
            submit_queue: VecDeque::new(),
            process_cpu_ns: 0.0,
            workers_cpu_ns: 0.0,
            runqueue_ns: 0.0,
            allowance_read_ns: None,
            allowance_throttles: 0,
            is_throttled_lately: false,
            cores_read: machine.usable_cores(),
            gil_random: Random::new(seed, 1),
            seed,
            trace: Trace::new(bounds.limit),
        }
    }

    fn at(&mut self, at_ns: u64, event: Event) {
        self.event_count += 1;
        self.events.push(Reverse((at_ns, self.event_count, event)));
    }
}

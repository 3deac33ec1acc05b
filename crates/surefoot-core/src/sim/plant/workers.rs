//! What threads do once they may: tasks, the pool's protocol, the attendant's and the hog's turns.

use super::{ATTENDANT, After, Event, FIRST_WORKER, HOG, Holding, Plant, Thread};
use crate::pool::{Action, Next};
use crate::sample::{Outcome, Sample};
use crate::sim::load::{Arrival, Step, Tasks};
use crate::sim::random::Random;

impl Plant<'_> {
    /// The thread has the GIL (or there is none).
    pub(super) fn go_on(&mut self, thread: usize) {
        match self.threads[thread].after {
            After::Resume(left_ns) => self.holding = Holding::Computing(left_ns),
            After::Next => {
                self.threads[thread].at += 1;
                self.proceed(thread);
            }
            After::Joined => {
                self.pool.joined();
                self.threads[thread].at += 1;
                self.proceed(thread);
            }
            After::Enter => self.take(thread),
            After::Woken => {
                let waited_ns = self.now_ns - self.threads[thread].ready_ns;
                self.threads[thread].attach_wait_ns = waited_ns;
                if let Some(worker) = &mut self.threads[thread].worker {
                    worker.woken();
                }
                self.take(thread);
            }
            After::MakeThreads => self.make_threads(),
            After::Hog => {
                let compute_ns = self.setup.hog.map_or(0, |hog| hog.0);
                self.compute(thread, compute_ns as f64);
            }
        }
    }

    fn compute(&mut self, thread: usize, cpu_ns: f64) {
        if self.machine.has_gil {
            self.holding = Holding::Computing(cpu_ns);
        } else {
            self.free.push(thread, cpu_ns);
        }
    }

    /// The holder has computed what it had to.
    pub(super) fn computed(&mut self, thread: usize) {
        match thread {
            ATTENDANT => self.make_threads(),
            HOG => {
                self.release();
                self.threads[HOG].after = After::Hog;
                let sleep_ns = self.setup.hog.map_or(0, |hog| hog.1);
                self.at(self.now_ns + sleep_ns, Event::Ready(HOG));
            }
            _ => {
                self.threads[thread].at += 1;
                self.proceed(thread);
            }
        }
    }

    /// A thread without the GIL has computed what it had to.
    pub(super) fn computed_free(&mut self, thread: usize) {
        if thread < FIRST_WORKER {
            self.computed(thread);
            return;
        }
        self.threads[thread].after = After::Next;
        self.ready(thread);
    }

    /// Runs the task from its present phase to the next wait, and on to the next tasks.
    fn proceed(&mut self, thread: usize) {
        loop {
            let Some(&step) = self.threads[thread].steps.get(self.threads[thread].at) else {
                self.end_task(thread);
                return self.take(thread);
            };
            self.threads[thread].after = After::Next;
            match step {
                Step::Cpu(cpu_ns) => {
                    self.threads[thread].cpu_ns += cpu_ns;
                    return self.compute(thread, cpu_ns);
                }
                Step::CpuFree(cpu_ns) => {
                    self.threads[thread].cpu_ns += cpu_ns;
                    self.let_go();
                    return self.free.push(thread, cpu_ns);
                }
                Step::Delay(delay_ns) => {
                    self.let_go();
                    return self.at(self.now_ns + delay_ns, Event::Ready(thread));
                }
                Step::Remote(number, demand_ns) => {
                    self.let_go();
                    return self.stations[number].enter(thread, demand_ns);
                }
                Step::HoldGilSleep(sleep_ns) => {
                    if self.machine.has_gil {
                        self.holding = Holding::Sleeping;
                        return self.at(self.now_ns + sleep_ns, Event::EndHold(thread));
                    }
                    return self.at(self.now_ns + sleep_ns, Event::Ready(thread));
                }
                Step::Submit(task) => {
                    self.submit(task);
                    self.threads[thread].at += 1;
                }
                Step::Join(task) if self.done[task] => self.threads[thread].at += 1,
                Step::Join(task) => {
                    let action = self.pool.joining();
                    self.carry_out(action);
                    self.threads[thread].after = After::Joined;
                    self.joiners[task].push(thread);
                    return self.let_go();
                }
                Step::Meet(count) => {
                    self.let_go();
                    self.meeting.push(thread);
                    if self.meeting.len() >= count {
                        for met in std::mem::take(&mut self.meeting) {
                            self.at(self.now_ns, Event::Ready(met));
                        }
                    }
                    return;
                }
            }
        }
    }

    /// Gives the GIL up, if there is one.
    fn let_go(&mut self) {
        if self.machine.has_gil {
            self.release();
        }
    }

    fn end_task(&mut self, thread: usize) {
        let now_ns = self.now_ns;
        let ended = &mut self.threads[thread];
        let wall_ns = now_ns - ended.started_ns;
        let sample = Sample {
            queued_ns: ended.queued_ns,
            attach_wait_ns: std::mem::take(&mut ended.attach_wait_ns),
            wall_ns,
            cpu_ns: Some((ended.cpu_ns as u64).min(wall_ns)),
            ..Sample::default()
        };
        let task = ended.task;
        let action = self.pool.finish(&sample, Outcome::Done, now_ns);
        debug_assert!(matches!(action, Action::None), "no submitter of the plant's is blocked");
        // Who comes on their own measure from their arrival.
        let response_ns = match self.setup.arrival {
            Arrival::Poisson(_) | Arrival::Bursts { .. } => sample.queued_ns + wall_ns,
            Arrival::Closed(_) | Arrival::Once(_) => wall_ns,
        };
        self.trace.finished(now_ns, (now_ns >= self.setup.warm_up_ns).then_some(response_ns));
        if matches!(self.setup.tasks, Tasks::Graph(_)) {
            self.done[task] = true;
            for joiner in std::mem::take(&mut self.joiners[task]) {
                self.at(now_ns, Event::Ready(joiner));
            }
        }
        let is_given = match &self.setup.tasks {
            Tasks::Graph(tasks) => self.trace.tasks_done as usize == tasks.len(),
            Tasks::Turns(_) => match self.setup.arrival {
                Arrival::Once(count) => self.trace.tasks_done as usize == count,
                _ => false,
            },
        };
        if is_given {
            self.trace.finished_ns = Some(now_ns);
        }
    }

    /// Asks the pool for a task, or parks.
    fn take(&mut self, thread: usize) {
        let Some(worker) = &mut self.threads[thread].worker else { return };
        match self.pool.next(worker, self.now_ns) {
            Next::Run { task, queued_ns, action } => {
                self.carry_out(action);
                if let Arrival::Closed(_) = self.setup.arrival {
                    self.submit_next();
                }
                // The numbers of a task's own stream: whoever runs it, it is the same task.
                let mut random = Random::new(self.seed, 0x0B00_0000_0000_0000 | task as u64);
                let taker = &mut self.threads[thread];
                self.setup.tasks.draw(task, self.now_ns, &mut random, &mut taker.steps);
                if self.machine.task_ns > 0.0 {
                    match taker.steps.first_mut() {
                        Some(Step::Cpu(cpu_ns)) => *cpu_ns += self.machine.task_ns,
                        _ => taker.steps.insert(0, Step::Cpu(self.machine.task_ns)),
                    }
                }
                taker.at = 0;
                taker.task = task;
                taker.started_ns = self.now_ns;
                taker.queued_ns = queued_ns;
                taker.cpu_ns = 0.0;
                self.begin_task(thread);
            }
            Next::Park | Next::Leave(_) => self.let_go(),
        }
    }

    /// Begins a task by way of the calendar where tasks cost no CPU at all: else a task without any
    /// phase that takes time would recurse.
    fn begin_task(&mut self, thread: usize) {
        if self.threads[thread].steps.is_empty() {
            self.threads[thread].steps.push(Step::Cpu(0.0));
        }
        self.proceed(thread);
    }

    /// Submits the next task of the arrivals.
    pub(super) fn submit_next(&mut self) {
        let task = self.submitted;
        self.submitted += 1;
        self.submit_queue.push_back(task);
    }

    /// Submits what the event that just happened left to submit.
    pub(super) fn drain_submissions(&mut self) {
        while let Some(task) = self.submit_queue.pop_front() {
            self.submit(task);
        }
    }

    fn submit(&mut self, task: usize) {
        // The pool of a run is never closed.
        if let Ok(action) = self.pool.submit(task, self.now_ns) {
            self.watch();
            self.carry_out(action);
        }
    }

    pub(super) fn carry_out(&mut self, action: Action) {
        match action {
            Action::None => {}
            Action::Grant(parker) => {
                if let Some(&thread) = self.by_parker.get(&(std::sync::Arc::as_ptr(&parker) as usize)) {
                    self.wake(thread);
                }
            }
            Action::Start(index) => {
                self.creator_free_ns = self.creator_free_ns.max(self.now_ns) + self.machine.create_ns;
                self.start(index, self.creator_free_ns);
            }
            Action::NeedsThread => self.send_for_threads(),
        }
    }

    fn wake(&mut self, thread: usize) {
        self.threads[thread].after = After::Woken;
        self.at(self.now_ns + self.machine.wake_ns, Event::Ready(thread));
    }

    /// Makes the thread of a worker; says whether there was one to be had.
    fn start(&mut self, index: usize, ready_ns: u64) -> bool {
        let thread = FIRST_WORKER + index;
        if thread - FIRST_WORKER >= self.machine.threads_max {
            let _ = self.pool.start_failed(index, |_| false);
            // It may have granted a permit to a parked worker, without telling whom.
            let granted: Vec<usize> = (FIRST_WORKER..self.threads.len())
                .filter(|&thread| {
                    let worker = self.threads[thread].worker.as_ref();
                    worker.is_some_and(|worker| worker.parker().is_granted())
                })
                .collect();
            for thread in granted {
                if let Some(worker) = &self.threads[thread].worker {
                    worker.parker().wait(None);
                }
                self.wake(thread);
            }
            return false;
        }
        debug_assert_eq!(thread, self.threads.len(), "workers never leave");
        let worker = self.pool.enter(index, None);
        self.by_parker.insert(std::ptr::from_ref(worker.parker()) as usize, thread);
        self.threads.push(Thread::new(Some(worker), After::Enter));
        self.process_cpu_ns += self.machine.create_ns as f64;
        self.at(ready_ns, Event::Ready(thread));
        true
    }

    /// The attendant makes one thread, and comes again until there is no need.
    fn make_threads(&mut self) {
        match self.pool.claim_start() {
            Action::Start(index) if self.start(index, self.now_ns + self.machine.create_ns) => {
                self.compute(ATTENDANT, self.machine.create_ns as f64);
            }
            Action::Start(_) => self.attendant_done(),
            action => {
                self.carry_out(action);
                self.attendant_done();
            }
        }
    }

    fn attendant_done(&mut self) {
        self.is_attendant_out = false;
        self.let_go();
    }
}

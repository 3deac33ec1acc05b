//! Servers outside the process.

use std::collections::VecDeque;

use super::cores::Shared;

/// A server that every task of the pool talks to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Server {
    /// Requests that it works on at once; more wait in turn.
    pub slots: usize,
    /// Universal scalability law: contention, for each further request.
    pub alpha: f64,
    /// Universal scalability law: crosstalk, for each pair of requests; above 0 the throughput falls
    /// beyond a peak.
    pub kappa: f64,
}

impl Server {
    /// The throughput with `count` requests in service, relative to one.
    pub fn speed_up(&self, count: usize) -> f64 {
        let count = count.min(self.slots) as f64;
        count / (1.0 + self.alpha * (count - 1.0) + self.kappa * count * (count - 1.0))
    }
}

/// A server at work.
#[derive(Debug)]
pub(super) struct Station {
    server: Server,
    serving: Shared,
    waiting: VecDeque<(usize, f64)>,
}

impl Station {
    pub(super) fn new(server: Server) -> Self {
        Self { server, serving: Shared::default(), waiting: VecDeque::new() }
    }

    fn rate(&self) -> f64 {
        let count = self.serving.len();
        if count == 0 { 0.0 } else { self.server.speed_up(count) / count as f64 }
    }

    pub(super) fn enter(&mut self, thread: usize, demand_ns: f64) {
        if self.serving.len() < self.server.slots {
            self.serving.push(thread, demand_ns);
        } else {
            self.waiting.push_back((thread, demand_ns));
        }
    }

    pub(super) fn advance(&mut self, passed_ns: f64) {
        let served_ns = passed_ns * self.rate();
        self.serving.advance(served_ns);
    }

    /// How long until the next request is done.
    pub(super) fn left_ns(&self) -> Option<f64> {
        self.serving.left_ns().map(|left_ns| left_ns / self.rate())
    }

    pub(super) fn pop_done(&mut self) -> Option<usize> {
        let done = self.serving.pop_done()?;
        if let Some((thread, demand_ns)) = self.waiting.pop_front() {
            self.serving.push(thread, demand_ns);
        }
        Some(done)
    }
}

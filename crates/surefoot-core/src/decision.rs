//! What a controller decides, and the bounded log of it.

use std::collections::{BTreeMap, VecDeque};

/// Why a limit was not raised although tasks wait.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Veto {
    /// The tasks fight for the interpreter (for `paper`: beta at or below its threshold, which
    /// cannot tell the GIL from the cores).
    Gil,
    /// The cores are used up.
    Cpu,
    /// A quota of CPU time is used up.
    Quota,
    /// Too little memory is left for more threads.
    Memory,
    /// More workers brought no more throughput: the bottleneck is out of sight.
    Plateau,
    /// The limit is at the cap.
    Cap,
}

impl Veto {
    /// The word used in Python, records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gil => "gil",
            Self::Cpu => "cpu",
            Self::Quota => "quota",
            Self::Memory => "memory",
            Self::Plateau => "plateau",
            Self::Cap => "cap",
        }
    }
}

/// What a change of the limit answers to: a closed set, for counters. The words in
/// [`Decision::reason`] say more and may change.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Rule {
    /// Workers queue for the interpreter: down.
    Gil,
    /// Workers queue for the cores: down.
    Cpu,
    /// A quota of CPU time is used up: down.
    Quota,
    /// The bottleneck has time left: up.
    Room,
    /// Tasks wait and nobody is runnable: up.
    Blocked,
    /// The guard over every controller: up.
    Liveness,
    /// A rise that brought no throughput is taken back: down.
    Plateau,
    /// Fewer workers are tried, or a fall that cost throughput is taken back.
    Trial,
    /// `paper`: no task waits: down.
    Idle,
    /// `paper`: beta says that tasks block: up.
    Beta,
    /// The limit was outside `min_workers` and the cap.
    Bounds,
    /// A controller that gives no rule, as one from outside.
    Controller,
}

impl Rule {
    /// The word used in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gil => "gil",
            Self::Cpu => "cpu",
            Self::Quota => "quota",
            Self::Room => "room",
            Self::Blocked => "blocked",
            Self::Liveness => "liveness",
            Self::Plateau => "plateau",
            Self::Trial => "trial",
            Self::Idle => "idle",
            Self::Beta => "beta",
            Self::Bounds => "bounds",
            Self::Controller => "controller",
        }
    }
}

/// Which way a change of the limit went.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Direction {
    /// More workers.
    Up,
    /// Fewer.
    Down,
}

impl Direction {
    /// The word used in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A new limit and its reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The limit from now on.
    pub limit: usize,
    /// What asked for it, if the limit changes.
    pub rule: Rule,
    /// Why, in words.
    pub reason: &'static str,
    /// Set if the limit stays although tasks wait.
    pub veto: Option<Veto>,
}

impl Decision {
    /// Leaves the limit where it is, or moves it without a rule's name.
    pub fn hold(limit: usize, reason: &'static str) -> Self {
        Self { limit, rule: Rule::Controller, reason, veto: None }
    }

    /// The same by a rule.
    #[must_use]
    pub fn by(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    /// Leaves the limit where it is although tasks wait.
    pub fn refuse(limit: usize, veto: Veto, reason: &'static str) -> Self {
        Self { veto: Some(veto), ..Self::hold(limit, reason) }
    }
}

/// A decision as it stands in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When, on the monotonic clock of [`crate::clock`].
    pub at_ns: u64,
    /// The limit before.
    pub limit_before: usize,
    /// The limit after.
    pub limit: usize,
    /// What asked for it.
    pub rule: Rule,
    /// Why, in words.
    pub reason: &'static str,
    /// Set if the limit stays although tasks wait.
    pub veto: Option<Veto>,
    /// Tasks waiting.
    pub queue_length: usize,
    /// Tasks completed in the window decided on.
    pub completions: u64,
    /// Mean beta of that window.
    pub beta_mean: Option<f64>,
}

/// How many entries the log keeps; the oldest go first. At two decisions a second the last 256
/// cover two minutes.
pub const LOG_LENGTH: usize = 256;

/// The last [`LOG_LENGTH`] changes and vetoes, and how often each rule and veto acted in all.
#[derive(Clone, Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    vetoes: BTreeMap<Veto, u64>,
    /// What was added since somebody last took the news; `None` if nobody follows.
    news: Option<Vec<Entry>>,
    changes: BTreeMap<(Direction, Rule), u64>,
}

impl Log {
    /// Adds a decision; one that neither changes the limit nor vetoes is not worth a line.
    pub fn push(&mut self, entry: Entry) {
        if let Some(veto) = entry.veto {
            *self.vetoes.entry(veto).or_default() += 1;
        } else if entry.limit == entry.limit_before {
            return;
        } else {
            let direction = if entry.limit > entry.limit_before { Direction::Up } else { Direction::Down };
            *self.changes.entry((direction, entry.rule)).or_default() += 1;
        }
        // A veto that falls once an interval is news once.
        let is_repeated =
            |last: &Entry| entry.veto.is_some() && (last.veto, last.limit) == (entry.veto, entry.limit);
        if let Some(news) = &mut self.news
            && !self.entries.back().is_some_and(is_repeated)
        {
            news.push(entry.clone());
        }
        if self.entries.len() == LOG_LENGTH {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// Keeps the news for [`Self::news`], or not.
    pub fn follow(&mut self, is_followed: bool) {
        if is_followed != self.news.is_some() {
            self.news = is_followed.then(Vec::new);
        }
    }

    /// Takes out what was added since the last call, vetoes that repeat the entry before left out.
    pub fn news(&mut self) -> Vec<Entry> {
        self.news.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// How often each veto fell since the start.
    pub fn vetoes(&self) -> &BTreeMap<Veto, u64> {
        &self.vetoes
    }

    /// How often each rule moved the limit since the start, and which way.
    pub fn changes(&self) -> &BTreeMap<(Direction, Rule), u64> {
        &self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(limit_before: usize, limit: usize, veto: Option<Veto>) -> Entry {
        Entry {
            at_ns: 0,
            limit_before,
            limit,
            rule: Rule::Room,
            reason: "test",
            veto,
            queue_length: 0,
            completions: 0,
            beta_mean: None,
        }
    }

    #[test]
    fn the_log_is_bounded_and_counts_every_veto() {
        let mut log = Log::default();
        for _ in 0..LOG_LENGTH + 7 {
            log.push(entry(4, 4, Some(Veto::Gil)));
        }
        assert_eq!(log.entries().count(), LOG_LENGTH);
        assert_eq!(log.vetoes()[&Veto::Gil], LOG_LENGTH as u64 + 7);
    }

    #[test]
    fn news_are_kept_for_a_follower_and_told_once() {
        let mut log = Log::default();
        log.push(entry(1, 2, None));
        log.follow(true);
        for (before, after, veto) in
            [(2, 4, None), (4, 4, Some(Veto::Gil)), (4, 4, Some(Veto::Gil)), (4, 4, Some(Veto::Cpu))]
        {
            log.push(entry(before, after, veto));
        }
        let told: Vec<_> = log.news().iter().map(|entry| (entry.limit, entry.veto)).collect();
        assert_eq!(told, [(4, None), (4, Some(Veto::Gil)), (4, Some(Veto::Cpu))]);
        assert_eq!(log.news(), []);
        log.follow(false);
        log.push(entry(4, 8, None));
        log.follow(true);
        assert_eq!(log.news(), []);
    }

    #[test]
    fn changes_are_counted_by_rule_and_direction() {
        let mut log = Log::default();
        for (before, after) in [(4, 8), (8, 9), (9, 3), (3, 3)] {
            log.push(entry(before, after, None));
        }
        log.push(entry(3, 3, Some(Veto::Cpu)));
        let counts: Vec<_> = log.changes().iter().map(|(key, count)| (*key, *count)).collect();
        assert_eq!(counts, [((Direction::Up, Rule::Room), 2), ((Direction::Down, Rule::Room), 1)]);
    }

    #[test]
    fn a_decision_that_changes_nothing_is_not_logged() {
        let mut log = Log::default();
        log.push(entry(4, 4, None));
        assert_eq!(log.entries().count(), 0);
    }
}

use super::*;
use crate::gil::GilState;

const MS: u64 = 1_000_000;

/// A load, as it shows on one core and on several.
#[derive(Clone, Copy)]
struct Load {
    free_per_s: f64,
    gathered_per_s: f64,
    free_cores: f64,
    gathered_cores: f64,
    held_share: Option<f64>,
    switches_per_s: f64,
    queue_length: usize,
    workers_busy: usize,
}

/// Fine-grained work under the lock.
const FINE: Load = Load {
    free_per_s: 14_000.0,
    gathered_per_s: 25_000.0,
    free_cores: 0.9,
    gathered_cores: 0.95,
    held_share: Some(0.7),
    switches_per_s: 25_000.0,
    queue_length: 100,
    workers_busy: 8,
};

/// Work outside the lock that fills every core.
const OUTSIDE: Load = Load {
    free_per_s: 3_000.0,
    gathered_per_s: 1_500.0,
    free_cores: 1.95,
    gathered_cores: 1.0,
    held_share: Some(0.2),
    switches_per_s: 1_000.0,
    ..FINE
};

struct Bench {
    placement: Placement,
    now_ns: u64,
    completed: f64,
    cpu_ns: f64,
    looks: u32,
    switches: f64,
    gathered_ns: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            placement: Placement::default(),
            now_ns: 0,
            completed: 0.0,
            cpu_ns: 0.0,
            looks: 0,
            switches: 0.0,
            gathered_ns: 0,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of a load that was made up"
    )]
    fn reading(&mut self, load: Load) -> Reading {
        self.looks += 1;
        let gil = load.held_share.map_or(GilReading::Unknown, |share| {
            let is_held = f64::from(self.looks * 37 % 100) < 100.0 * share;
            GilReading::Seen(GilState {
                is_held,
                switches: Some(self.switches as u64),
                ..GilState::default()
            })
        });
        Reading {
            at_ns: self.now_ns,
            completed: self.completed as u64,
            workers_cpu_ns: Some(self.cpu_ns as u64),
            workers_busy: load.workers_busy,
            queue_length: load.queue_length,
            cores: 2,
            gil,
            is_disturbed: false,
        }
    }

    /// Lets the load run; returns the time it was gathered.
    fn run(&mut self, load: Load, duration_ns: u64) -> u64 {
        let until_ns = self.now_ns + duration_ns;
        let before_ns = self.gathered_ns;
        while self.now_ns < until_ns {
            let reading = self.reading(load);
            let advice = self.placement.look(&reading);
            let passed_ns = advice.due_ns - self.now_ns;
            let is_gathered = advice.place == Place::OneCore;
            let (per_s, cores) = if is_gathered {
                (load.gathered_per_s, load.gathered_cores)
            } else {
                (load.free_per_s, load.free_cores)
            };
            self.completed += per_s * passed_ns as f64 / 1e9;
            self.cpu_ns += cores * passed_ns as f64;
            self.switches += load.switches_per_s * passed_ns as f64 / 1e9;
            self.gathered_ns += if is_gathered { passed_ns } else { 0 };
            self.now_ns = advice.due_ns;
        }
        self.gathered_ns - before_ns
    }
}

#[test]
fn fine_grained_work_is_gathered_and_stays_so() {
    let mut bench = Bench::new();
    bench.run(FINE, 300 * MS);
    assert!(bench.placement.is_kept());
    // Comparisons cost some of the time, and ever less.
    assert!(bench.run(FINE, 10_000 * MS) > 9_700 * MS);
    assert!(bench.run(FINE, 10_000 * MS) > 9_850 * MS);
}

#[test]
fn without_a_view_of_the_lock_throughput_decides() {
    let mut bench = Bench::new();
    bench.run(Load { held_share: None, ..FINE }, 300 * MS);
    assert!(bench.placement.is_kept());
}

#[test]
fn work_that_fills_the_cores_is_never_gathered() {
    assert_eq!(Bench::new().run(OUTSIDE, 60_000 * MS), 0);
    assert_eq!(Bench::new().run(Load { held_share: None, ..OUTSIDE }, 60_000 * MS), 0);
}

#[test]
fn a_trial_that_does_not_gain_is_rare() {
    // Looks like the real thing but for the gain.
    let load = Load { gathered_per_s: FINE.free_per_s, ..FINE };
    let gathered_ns = Bench::new().run(load, 60_000 * MS);
    assert!(gathered_ns > 0 && gathered_ns < 1_000 * MS, "{gathered_ns}");
}

#[test]
fn what_the_lock_shows_idle_is_let_go_within_a_few_looks() {
    let mut bench = Bench::new();
    bench.run(FINE, 1_000 * MS);
    // Neither throughput nor the changes of hands would tell.
    let sly = Load { held_share: Some(0.2), ..FINE };
    assert!(bench.run(sly, 400 * MS) < 250 * MS);
    assert!(!bench.placement.is_kept());
}

#[test]
fn a_lock_that_rarely_changes_hands_is_let_go_at_once() {
    let mut bench = Bench::new();
    bench.run(FINE, 1_000 * MS);
    let coarse = Load { switches_per_s: 500.0, ..FINE };
    assert!(bench.run(coarse, 5_000 * MS) <= 60 * MS);
}

#[test]
fn without_a_lock_nothing_is_gathered() {
    let mut bench = Bench::new();
    for _ in 0..500 {
        let reading = Reading { gil: GilReading::Off, ..bench.reading(FINE) };
        let advice = bench.placement.look(&reading);
        assert_eq!(advice.place, Place::Anywhere);
        bench.now_ns = advice.due_ns;
        bench.completed += 140.0;
        bench.cpu_ns += 9e6;
    }
}

#[test]
fn another_kind_of_work_is_let_go_without_a_view_of_the_lock() {
    let mut bench = Bench::new();
    bench.run(Load { held_share: None, ..FINE }, 1_000 * MS);
    let outside = Load { held_share: None, ..OUTSIDE };
    assert!(bench.run(outside, 5_000 * MS) < 150 * MS);
}

#[test]
fn a_gain_that_ends_is_noticed_by_comparison() {
    let mut bench = Bench::new();
    bench.run(FINE, 1_000 * MS);
    // The core is shared with somebody else now, but not so much as to be seen at once.
    let shared = Load { gathered_per_s: 0.7 * FINE.gathered_per_s, free_per_s: 20_000.0, ..FINE };
    bench.run(shared, 20_000 * MS);
    assert!(!bench.placement.is_kept());
}

#[test]
fn a_disturbance_lets_go_at_once_and_for_a_while() {
    let mut bench = Bench::new();
    bench.run(FINE, 1_000 * MS);
    let reading = Reading { is_disturbed: true, ..bench.reading(FINE) };
    assert_eq!(bench.placement.look(&reading).place, Place::Anywhere);
    assert_eq!(bench.run(FINE, 1_900 * MS), 0);
    assert!(bench.run(FINE, 1_000 * MS) > 0);
}

#[test]
fn an_idle_pool_and_one_that_nobody_waits_for_are_free() {
    let mut bench = Bench::new();
    bench.run(FINE, 1_000 * MS);
    let idle = Load { queue_length: 0, workers_busy: 0, ..FINE };
    let reading = bench.reading(idle);
    assert_eq!(bench.placement.look(&reading).place, Place::Anywhere);
    let slack = Load { queue_length: 0, ..FINE };
    assert_eq!(Bench::new().run(slack, 5_000 * MS), 0);
    let alone = Load { workers_busy: 1, ..FINE };
    assert_eq!(Bench::new().run(alone, 5_000 * MS), 0);
}

#[test]
fn nothing_is_gathered_that_cannot_be_measured() {
    let mut bench = Bench::new();
    for _ in 0..500 {
        let reading = Reading { workers_cpu_ns: None, ..bench.reading(FINE) };
        let advice = bench.placement.look(&reading);
        assert_eq!(advice.place, Place::Anywhere);
        bench.now_ns = advice.due_ns;
        bench.completed += 140.0;
    }
    // Few completions: a task each 20 ms, and threads inside that nobody can compare.
    let rare = Load { free_per_s: 50.0, gathered_per_s: 80.0, ..FINE };
    assert_eq!(Bench::new().run(rare, 5_000 * MS), 0);
    let mut bench = Bench::new();
    for _ in 0..500 {
        let reading = Reading { cores: 1, ..bench.reading(FINE) };
        let advice = bench.placement.look(&reading);
        assert_eq!(advice.place, Place::Anywhere);
        bench.now_ns = advice.due_ns;
        bench.completed += 140.0;
        bench.cpu_ns += 9e6;
    }
}

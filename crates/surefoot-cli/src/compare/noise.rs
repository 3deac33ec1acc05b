//! How fast and how undisturbed the machine was: control runs between the runs, and what others used during one.
//!
//! Whether a run is noisy is decided by these alone, never by its own figures: to leave out the runs that came out
//! badly would be to choose the result.

use std::fs;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use crate::clock;
use crate::compare::record::{Control, Line, Measured, SCHEMA};
use crate::compare::suite::{NoiseBounds, Suite};
use crate::interrupt;
use crate::statistics::median;

/// Steps of one spin: about 10 ms on a core of 2020.
const SPIN_STEPS: u64 = 8_000_000;
/// One spin that was interrupted must not look like a slow machine.
const SPINS: usize = 5;
const WAIT: Duration = Duration::from_millis(1);
const WAITS: usize = 21;
/// A control that is further away in time than this many times their distance says nothing about a run.
const NEAR: f64 = 3.0;

/// Runs the control workload: about a tenth of a second.
pub(crate) fn control(suite: &Suite, digest: &str) -> Line {
    let spin_s: Vec<f64> = (0..SPINS).map(|_| timed(spin)).collect();
    let wait_s: Vec<f64> = (0..WAITS).map(|_| timed(|| interrupt::wait(WAIT))).collect();
    Line::Control(Control {
        schema: SCHEMA,
        suite: suite.name.clone(),
        suite_digest: digest.to_owned(),
        at_unix_s: clock::unix_s(),
        spin_s: median(&spin_s).unwrap_or_default(),
        wait_s: median(&wait_s).unwrap_or_default(),
    })
}

fn timed(work: impl FnOnce()) -> f64 {
    let begin = clock::now();
    work();
    begin.elapsed().as_secs_f64()
}

/// Each step needs the one before, so that no compiler and no core can shorten it.
fn spin() {
    let mut state = black_box(0x9E37_79B9_7F4A_7C15_u64);
    for _ in 0..SPIN_STEPS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
}

/// Marks every run that the controls beside it, or the load of others, make doubtful; whether a mark changed.
pub(crate) fn mark(lines: &mut [Line], bounds: NoiseBounds, control_every_s: f64) -> bool {
    let controls: Vec<(usize, Control)> = lines
        .iter()
        .enumerate()
        .filter_map(
            |(at, line)| if let Line::Control(control) = line { Some((at, control.clone())) } else { None },
        )
        .collect();
    let middle = |of: fn(&Control) -> f64| {
        median(&controls.iter().map(|(_, control)| of(control)).collect::<Vec<_>>()).unwrap_or_default()
    };
    let (spin_s, wait_s) = (middle(|control| control.spin_s), middle(|control| control.wait_s));
    let has_drifted = |control: &Control| {
        let beyond = |value: f64, middle: f64| (value - middle).abs() > bounds.drift_max * middle;
        beyond(control.spin_s, spin_s) || beyond(control.wait_s, wait_s)
    };
    let mut has_changed = false;
    for (at, line) in lines.iter_mut().enumerate() {
        let Line::Run(run) = line else { continue };
        let after = controls.partition_point(|(place, _)| *place < at);
        let beside = [after.checked_sub(1), Some(after)].into_iter().flatten();
        let is_near =
            |control: &&Control| (control.at_unix_s - run.context.at_unix_s).abs() < NEAR * control_every_s;
        let is_noisy = run.others_cores.is_some_and(|cores| cores > bounds.others_cores_max)
            || beside
                .filter_map(|place| controls.get(place))
                .map(|(_, control)| control)
                .filter(is_near)
                .any(has_drifted);
        has_changed |= run.is_noisy != is_noisy;
        run.is_noisy = is_noisy;
    }
    has_changed
}

/// What the cores that we may use have done so far, and how much of it was ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    at: Instant,
    busy_s: f64,
    ours_s: f64,
}

impl Load {
    /// Looks; `None` where the system does not say.
    pub(crate) fn read() -> Option<Self> {
        let busy_s = busy_s(&fs::read_to_string("/proc/stat").ok()?, &own_cores()?)?;
        Some(Self {
            at: clock::now(),
            busy_s,
            ours_s: own_cpu_s(libc::RUSAGE_SELF)? + own_cpu_s(libc::RUSAGE_CHILDREN)?,
        })
    }

    /// Cores that others kept busy since an earlier look.
    ///
    /// Ours are this process and the children it has waited for, with theirs.
    pub(crate) fn others_cores(&self, before: &Self) -> f64 {
        let seconds = self.at.duration_since(before.at).as_secs_f64().max(f64::MIN_POSITIVE);
        // Clocks that tick can make it a little less than nothing.
        ((self.busy_s - before.busy_s - (self.ours_s - before.ours_s)) / seconds).max(0.0)
    }
}

/// What others used during a run, if it can be told: of the processes that a run leaves behind, and that somebody
/// else waits for, we do not learn what they used.
pub(crate) fn others_cores(before: Option<Load>, after: Option<Load>, processes: Option<f64>) -> Option<f64> {
    if processes.is_some_and(|processes| processes > 1.0) {
        return None;
    }
    Some(after?.others_cores(&before?))
}

/// The busy time of some cores, in seconds; what a hypervisor took away (steal) was busy, too.
fn busy_s(stat: &str, cores: &[usize]) -> Option<f64> {
    // SAFETY: sysconf has no preconditions.
    let ticks_per_s = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    let mut ticks = 0.0;
    for core in cores {
        let name = format!("cpu{core}");
        let line = stat.lines().find(|line| line.split_whitespace().next() == Some(name.as_str()))?;
        let fields: Vec<f64> =
            line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal
        ticks += [0, 1, 2, 5, 6, 7].iter().filter_map(|at| fields.get(*at)).sum::<f64>();
    }
    Some(ticks / (ticks_per_s as f64))
}

/// The cores that this process may use.
#[cfg(target_os = "linux")]
fn own_cores() -> Option<Vec<usize>> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: `set` is as large as the size that is passed.
    let status = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) };
    if status != 0 {
        return None;
    }
    // SAFETY: zeroed is a valid, empty set already, and the call has filled it in.
    let set = unsafe { set.assume_init() };
    let end = 8 * size_of::<libc::cpu_set_t>();
    // SAFETY: the cores asked for are below the size of the set.
    Some((0..end).filter(|core| unsafe { libc::CPU_ISSET(*core, &set) }).collect())
}

/// There is no `/proc/stat` to read either.
#[cfg(not(target_os = "linux"))]
fn own_cores() -> Option<Vec<usize>> {
    None
}

fn own_cpu_s(who: libc::c_int) -> Option<f64> {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a live rusage to write to.
    if unsafe { libc::getrusage(who, usage.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: zeroed is valid already, and the call has filled it in.
    let usage = unsafe { usage.assume_init() };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Some(seconds(usage.ru_utime) + seconds(usage.ru_stime))
}

/// The runs that were marked and have not been made again.
pub(crate) fn to_repeat(lines: &[Line]) -> Vec<&Measured> {
    let again: Vec<String> = lines
        .iter()
        .filter_map(Line::context)
        .filter(|context| context.attempt > 0)
        .map(super::record::Context::key)
        .collect();
    lines
        .iter()
        .filter_map(Line::measured)
        .filter(|run| run.is_noisy && run.context.attempt == 0)
        .filter(|run| !again.contains(&run.context.identity.key(&run.context.interpreter.tag, 1)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::record::tests::{control, measured};
    use crate::compare::run::tests::identity;

    const BOUNDS: NoiseBounds = NoiseBounds { drift_max: 0.15, others_cores_max: 0.25 };

    fn run(repeat: u32, attempt: u32, others_cores: Option<f64>) -> Line {
        let mut run = measured(identity(), 100.0);
        run.context.identity.repeat = repeat;
        run.context.attempt = attempt;
        run.others_cores = others_cores;
        Line::Run(Box::new(run))
    }

    fn marks(lines: &[Line]) -> Vec<bool> {
        lines.iter().filter_map(Line::measured).map(|run| run.is_noisy).collect()
    }

    fn drifting() -> Vec<Line> {
        let (calm, slow) = (control(0.010, 0.00106), control(0.013, 0.00106));
        vec![
            calm.clone(),
            run(0, 0, None),
            calm.clone(),
            run(1, 0, None),
            slow,
            run(2, 0, None),
            calm.clone(),
            calm,
        ]
    }

    #[test]
    fn a_run_is_noisy_if_a_control_beside_it_drifted() {
        let mut lines = drifting();
        assert!(mark(&mut lines, BOUNDS, 60.0));
        assert_eq!(marks(&lines), [false, true, true]);
        assert!(!mark(&mut lines, BOUNDS, 60.0), "the same marks again are no change");
        assert!(mark(&mut lines, NoiseBounds { drift_max: 0.5, ..BOUNDS }, 60.0));
        assert_eq!(marks(&lines), [false; 3]);
    }

    #[test]
    fn a_wait_that_took_longer_is_a_drift_too() {
        let mut lines =
            vec![control(0.01, 0.0011), run(0, 0, None), control(0.01, 0.0016), control(0.01, 0.0011)];
        mark(&mut lines, BOUNDS, 60.0);
        assert_eq!(marks(&lines), [true]);
    }

    #[test]
    fn a_control_of_another_day_says_nothing() {
        let mut lines = drifting();
        for line in &mut lines {
            if let Line::Control(control) = line {
                control.at_unix_s += 181.0;
            }
        }
        mark(&mut lines, BOUNDS, 60.0);
        assert_eq!(marks(&lines), [false; 3]);
    }

    #[test]
    fn a_run_is_noisy_if_others_were_busy_during_it() {
        let mut lines = vec![run(0, 0, Some(0.2)), run(1, 0, Some(0.3)), run(2, 0, None)];
        mark(&mut lines, BOUNDS, 60.0);
        assert_eq!(marks(&lines), [false, true, false]);
    }

    #[test]
    fn a_noisy_run_is_repeated_once() {
        let mut lines = drifting();
        mark(&mut lines, BOUNDS, 60.0);
        let repeats = |lines: &[Line]| {
            to_repeat(lines).iter().map(|run| run.context.identity.repeat).collect::<Vec<_>>()
        };
        assert_eq!(repeats(&lines), [1, 2]);
        lines.push(run(2, 1, Some(1.0)));
        mark(&mut lines, BOUNDS, 60.0);
        assert_eq!(repeats(&lines), [1]);
    }

    #[test]
    fn the_busy_time_is_that_of_the_cores_asked_for() {
        let stat = "cpu  9 9 9 9\ncpu0 100 0 50 900 7 1 2 3 0 0\ncpu1 10 0 5 90 0 0 0 0 0 0\ncpu10 1 1 1 1\n";
        // SAFETY: sysconf has no preconditions.
        let ticks_per_s = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
        assert!((busy_s(stat, &[0]).unwrap() - 156.0 / ticks_per_s).abs() < 1e-9);
        assert!((busy_s(stat, &[0, 1]).unwrap() - 171.0 / ticks_per_s).abs() < 1e-9);
        assert!(busy_s(stat, &[7]).is_none());
    }

    #[test]
    fn what_we_use_is_not_that_of_others() {
        let at = clock::now();
        let before = Load { at, busy_s: 10.0, ours_s: 1.0 };
        let after = Load { at: at + Duration::from_secs(2), busy_s: 13.0, ours_s: 2.0 };
        assert!((after.others_cores(&before) - 1.0).abs() < 1e-9);
        assert_eq!(others_cores(Some(before), Some(after), Some(5.0)), None);
        assert!(others_cores(Some(before), Some(after), Some(1.0)).is_some());
        assert_eq!(others_cores(None, Some(after), None), None);
    }

    #[test]
    fn a_control_takes_time() {
        let suite = crate::compare::suite::tests::suite(
            "name = \"one\"\n[[experiment]]\nname = \"a\"\nworkloads = [\"micro\"]\nstrategies = [\"knee\"]",
        );
        let Line::Control(control) = super::control(&suite, "d") else { panic!("no control") };
        assert!(control.spin_s > 0.0 && control.wait_s >= WAIT.as_secs_f64() / 2.0, "{control:?}");
    }
}

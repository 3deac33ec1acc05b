//! Every number of the knee controller, with its origin.

/// What the knee controller goes by. The defaults are [`Constants::default`]; they are public so
/// that the simulator can ask how much each of them matters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// Next look while nobody seems runnable. 1 ms: a burst of 32 sleeping tasks must not start
    /// more than 10 ms later than on the standard pool (Go's sysmon settles at 1 to 10 ms).
    pub gate_look_ns: u64,
    /// Next look while the bottleneck is in use: it only samples. 4 ms, 250 a second, cost some
    /// 0.2 % of a core.
    pub sample_look_ns: u64,
    /// Next look while no task waits: nothing can be decided, the shares are still sampled.
    pub calm_look_ns: u64,
    /// Looks in a row that must find nobody runnable before the gate opens: one may fall between
    /// two hand-offs.
    pub gate_looks: u32,
    /// How long nobody may be runnable before the gate opens once the knee is known. A gap in which
    /// all workers happen to sleep is part of a knee that uses 96 % of the bottleneck; one of 10 ms
    /// is a different load, or a deadlock.
    pub gate_settled_ns: u64,
    /// The same where tasks take long: half of their mean wall time, but no more than this.
    pub most_gate_settled_ns: u64,
    /// The same for each further step then: long enough for a task that computes to show itself, and
    /// short enough for a rendezvous of some tens to come together in 50 ms.
    pub gate_settled_step_ns: u64,
    /// Share of one core used by the process below which nobody counts as runnable.
    pub quiet_cpu_share: f64,
    /// Next look while tasks wait and the knee is not known yet: a window of 50 ms then has 50.
    pub seek_look_ns: u64,
    /// Utilisation of the bottleneck below which the limit may rise to the model's target.
    pub busy_low: f64,
    /// The same beyond the target, where the model says that enough workers are admitted: several
    /// resources in a row are used less than each alone. The knee is 95 % of the best throughput.
    pub busy_low_beyond: f64,
    /// Utilisation aimed at by a rise.
    pub busy_aim: f64,
    /// Utilisation of the bottleneck from which on workers may be too many.
    pub busy_high: f64,
    /// Headroom above the asymptotic knee, in units of its square root (Netflix, Envoy, and exact
    /// mean value analysis of an exponential queue: `N* + sqrt(N*)` has 94 to 98 % of the best).
    pub headroom: f64,
    /// Largest factor on the headroom for tasks of unequal length.
    pub most_unequal: f64,
    /// Largest factor of one rise by the model (BBR's start-up doubles a round trip, twice here
    /// because the model, not blind search, says where to).
    pub most_rise: f64,
    /// The same where few tasks were completed, so that little is known.
    pub most_blind_rise: f64,
    /// Workers above the target that are left alone: a share of the limit.
    pub dead_band: f64,
    /// How long evidence counts: the sums are weighted by `exp(-age / memory)`. Long, because a change
    /// of load is noticed by itself.
    pub memory_ns: f64,
    /// How old evidence must be at least before a rise, since the last change of the limit.
    pub rise_after_ns: f64,
    /// Time of the bottleneck that must have gone unused since then: a large loss is mended soon, a
    /// small one after it was seen for long.
    pub unused_ns: f64,
    /// The same for a fall: surplus workers, as a share of the target, times the time they were seen.
    pub surplus_ns: f64,
    /// How old evidence must be before the limit is lowered although few tasks were completed in
    /// between; with as many completions as workers it may go at once.
    pub lower_after_ns: f64,
    /// Least part of its proportional share that a rise must bring, .NET's bias of 15 %.
    pub least_gain: f64,
    /// The same where the model asked for the rise, and of the bottleneck's use, where the throughputs
    /// cannot be told apart. Less, because at 90 % of its use a bottleneck has little left to give.
    pub least_use_gain: f64,
    /// Throughput lost by a fall of the limit that takes it back.
    pub most_loss: f64,
    /// The same of a probe, of which there may be several in a row.
    pub most_probe_loss: f64,
    /// Tasks on each side of a comparison of throughputs, at least.
    pub comparable: f64,
    /// Growth of the time spent outside of the process from which on a remote bottleneck is
    /// suspected, and looked for by one probe.
    pub remote_growth: f64,
    /// The same once a probe has found one.
    pub remote_growth_left: f64,
    /// How far a further probe goes down where the wall time gives no hint.
    pub probe_factor: f64,
    /// Share of the time that the GIL is wanted and not held from which on fewer workers are tried. A
    /// quarter: tasks that compute for milliseconds lose 2 to 4 %, `NumPy`'s small calls half and more.
    pub handover_lost: f64,
    /// How long that must have been seen at this limit.
    pub handover_after_ns: f64,
    /// Utilisation from which on a bottleneck is in sight: no remote one is looked for, and moments in
    /// which nobody is runnable are gaps.
    pub quiet_share: f64,
    /// Mean wall times of a task that must have been seen before a rise beyond the model's target: tasks
    /// that begin together stay together for some rounds.
    pub beyond_walls: f64,
    /// How long a plateau or a floor stands at first; doubled each time it is found again.
    pub hold_ns: u64,
    /// How long it stands at most.
    pub most_hold_ns: u64,
    /// Change of the demand or of the time outside, as a factor, that makes all that was learned
    /// void (IBM Streams: 20 % for 5 samples; here for [`Self::change_windows`]).
    pub change: f64,
    /// The same where a window is short against a task.
    pub large_change: f64,
    /// Windows in a row that must show it.
    pub change_windows: u32,
    /// Memory that must be left for a rise.
    pub memory_reserve_bytes: u64,
}

impl Default for Constants {
    fn default() -> Self {
        Self {
            gate_look_ns: 1_000_000,
            sample_look_ns: 4_000_000,
            calm_look_ns: 8_000_000,
            gate_looks: 2,
            gate_settled_ns: 10_000_000,
            most_gate_settled_ns: 40_000_000,
            gate_settled_step_ns: 2_000_000,
            quiet_cpu_share: 0.5,
            seek_look_ns: 1_000_000,
            busy_low: 0.97,
            busy_low_beyond: 0.96,
            busy_aim: 0.98,
            busy_high: 0.95,
            headroom: 1.0,
            most_unequal: 3.0,
            most_rise: 4.0,
            most_blind_rise: 2.0,
            dead_band: 0.25,
            memory_ns: 2e9,
            rise_after_ns: 90e6,
            unused_ns: 30e6,
            surplus_ns: 100e6,
            lower_after_ns: 400e6,
            least_gain: 0.15,
            least_use_gain: 0.05,
            most_loss: 0.04,
            most_probe_loss: 0.02,
            comparable: 20.0,
            remote_growth: 1.5,
            remote_growth_left: 1.25,
            probe_factor: 0.6,
            handover_lost: 0.25,
            handover_after_ns: 400e6,
            quiet_share: 0.5,
            beyond_walls: 10.0,
            hold_ns: 2_000_000_000,
            most_hold_ns: 30_000_000_000,
            change: 2.0,
            large_change: 5.0,
            change_windows: 3,
            memory_reserve_bytes: 64 << 20,
        }
    }
}

/// The control interval.
pub const INTERVAL_NS: u64 = 50_000_000;

//! The hill climbing of the .NET thread pool.
//!
//! Source: `PortableThreadPool.HillClimbing.cs` and `PortableThreadPool.GateThread.cs` of
//! <https://github.com/dotnet/runtime>, with their defaults. A square wave of a period of four
//! samples is laid over the number of threads, and the throughput is searched for the same wave
//! (one bin of a Fourier transform, by Goertzel's method). Where the throughput follows, the number
//! rises; where it does not, it falls. A second rule helps where nothing was taken from the queue for
//! 0.5 s: one thread more.
//!
//! Left out: the adjustment for threads that block in calls of the runtime's own, which has no like
//! in a pool that cannot see them.

use std::f64::consts::TAU;

use crate::controller::Controller;
use crate::decision::Decision;
use crate::sim::random::Random;
use crate::window::Window;

/// The step by which its sample interval is extended; windows of this length are joined to samples.
pub const INTERVAL_NS: u64 = 10_000_000;

const WAVE_PERIOD: usize = 4;
const SAMPLES: usize = 8 * WAVE_PERIOD;
const WAVE_MAX: f64 = 20.0;
const SIGNAL_TO_NOISE: f64 = 3.0;
const BIAS: f64 = 0.15;
const ERROR_SMOOTHING: f64 = 0.01;
const CHANGE_PER_S_MAX: f64 = 4.0;
const CHANGE_MAX: f64 = 20.0;
const SAMPLE_ERROR_MAX: f64 = 0.15;
const SAMPLE_MS: (u64, u64) = (10, 200);
const CPU_HIGH: f64 = 0.95;
const STARVED_NS: u64 = 500_000_000;

/// The climber and what it remembers.
#[derive(Clone, Debug)]
pub struct HillClimbing {
    random: Random,
    setting: f64,
    noise: f64,
    last_threads: usize,
    count: usize,
    throughputs: [f64; SAMPLES],
    threads: [f64; SAMPLES],
    sample_ns: u64,
    wanted_ns: u64,
    passed_ns: u64,
    completions: u64,
    cpu_ns: u64,
    starved_ns: u64,
}

impl HillClimbing {
    /// Makes one that starts with `threads`.
    pub fn new(threads: usize) -> Self {
        let mut random = Random::new(1, 9);
        let sample_ns = sample_ns(&mut random);
        Self {
            random,
            setting: threads as f64,
            noise: 0.0,
            last_threads: threads,
            count: 0,
            throughputs: [0.0; SAMPLES],
            threads: [0.0; SAMPLES],
            sample_ns,
            wanted_ns: sample_ns,
            passed_ns: 0,
            completions: 0,
            cpu_ns: 0,
            starved_ns: 0,
        }
    }

    /// One bin of the Fourier transform of the last `count` samples, as a complex number.
    fn wave(&self, samples: &[f64; SAMPLES], count: usize, period: f64) -> (f64, f64) {
        let (sine, cosine) = (TAU / period).sin_cos();
        let (mut last, mut before) = (0.0, 0.0);
        for place in 0..count {
            let sample = samples[(self.count - count + place) % SAMPLES];
            (last, before) = (2.0 * cosine * last - before + sample, last);
        }
        ((last - before * cosine) / count as f64, before * sine / count as f64)
    }

    /// The direction, -1 to 1, and how much it is trusted.
    fn direction(&mut self) -> (f64, f64) {
        let count = (self.count - 1).min(SAMPLES) / WAVE_PERIOD * WAVE_PERIOD;
        if count <= WAVE_PERIOD {
            return (0.0, 0.0);
        }
        let mean = |samples: &[f64; SAMPLES]| {
            (0..count).map(|place| samples[(self.count - count + place) % SAMPLES]).sum::<f64>()
                / count as f64
        };
        let (throughput, threads) = (mean(&self.throughputs), mean(&self.threads));
        if throughput <= 0.0 || threads <= 0.0 {
            return (0.0, 0.0);
        }
        let period = WAVE_PERIOD as f64;
        let waves = count as f64 / period;
        let of_throughput = |period| {
            let (real, imaginary) = self.wave(&self.throughputs, count, period);
            (real / throughput, imaginary / throughput)
        };
        let size = |(real, imaginary): (f64, f64)| (real * real + imaginary * imaginary).sqrt();
        let followed = of_throughput(period);
        let mut error = size(of_throughput(count as f64 / (waves + 1.0)));
        let other_period = count as f64 / (waves - 1.0);
        if other_period <= count as f64 {
            error = error.max(size(of_throughput(other_period)));
        }
        let (real, imaginary) = self.wave(&self.threads, count, period);
        let led = (real / threads, imaginary / threads);
        self.noise = if self.noise == 0.0 {
            error
        } else {
            ERROR_SMOOTHING * error + (1.0 - ERROR_SMOOTHING) * self.noise
        };
        let led_squared = led.0 * led.0 + led.1 * led.1;
        if led_squared == 0.0 {
            return (0.0, 1.0);
        }
        // The real part of (followed - BIAS led) / led.
        let ratio = (followed.0 * led.0 + followed.1 * led.1) / led_squared - BIAS;
        let noise = self.noise.max(error);
        let confidence = if noise > 0.0 { led_squared.sqrt() / noise / SIGNAL_TO_NOISE } else { 1.0 };
        (ratio, confidence)
    }

    fn climb(&mut self, window: &Window) -> usize {
        let seconds = self.passed_ns as f64 / 1e9;
        let place = self.count % SAMPLES;
        self.throughputs[place] = self.completions as f64 / seconds;
        self.threads[place] = window.limit as f64;
        self.count += 1;
        let (ratio, confidence) = self.direction();
        let step = ratio.clamp(-1.0, 1.0) * confidence.clamp(0.0, 1.0);
        let mut change = (step * step * step.signum() * CHANGE_PER_S_MAX * seconds).min(CHANGE_MAX);
        let cpu = self.cpu_ns as f64 / (self.passed_ns as f64 * window.allowance.cores.max(0.1));
        if change > 0.0 && cpu > CPU_HIGH {
            change = 0.0;
        }
        self.setting += change;
        let magnitude = (0.5 + self.setting * self.noise * SIGNAL_TO_NOISE * 2.0).floor();
        let magnitude = magnitude.clamp(1.0, WAVE_MAX);
        let least = (window.allowance.cores.ceil() as usize).clamp(1, window.cap);
        let most = (window.cap as f64 - magnitude).max(least as f64);
        self.setting = self.setting.clamp(least as f64, most);
        let is_high = (self.count / (WAVE_PERIOD / 2)) % 2 == 1;
        let threads =
            ((self.setting + if is_high { magnitude } else { 0.0 }) as usize).clamp(least, window.cap);
        if threads != window.limit {
            self.sample_ns = sample_ns(&mut self.random);
        }
        self.wanted_ns = self.sample_ns;
        if ratio < 0.0 && threads == least {
            self.wanted_ns = (self.sample_ns as f64 * 10.0 * (-ratio).min(1.0)) as u64;
        }
        (self.passed_ns, self.completions, self.cpu_ns) = (0, 0, 0);
        threads
    }
}

fn sample_ns(random: &mut Random) -> u64 {
    let range = (SAMPLE_MS.1 - SAMPLE_MS.0 + 1) as usize;
    (SAMPLE_MS.0 + random.below(range) as u64) * 1_000_000
}

impl Controller for HillClimbing {
    fn name(&self) -> &'static str {
        "hill-climbing"
    }

    fn decide(&mut self, window: &Window) -> Decision {
        if window.limit != self.last_threads {
            // Somebody else changed it.
            self.setting += window.limit as f64 - self.last_threads as f64;
            self.last_threads = window.limit;
        }
        self.passed_ns += window.duration_ns;
        self.completions += window.completions;
        self.cpu_ns = self.cpu_ns.saturating_add(window.process_cpu_ns.unwrap_or(0));
        // A dequeue goes with each completion while tasks wait.
        let is_starved = window.queue_length > 0 && window.completions == 0;
        self.starved_ns = if is_starved { self.starved_ns + window.duration_ns } else { 0 };
        if self.starved_ns >= STARVED_NS {
            self.starved_ns = 0;
            self.last_threads = (window.limit + 1).min(window.cap);
            self.setting = self.last_threads as f64;
            return Decision::hold(self.last_threads, "starvation: nothing was taken for 0.5 s");
        }
        let is_rough =
            self.count > 0 && (window.limit as f64 - 1.0) / (self.completions as f64) >= SAMPLE_ERROR_MAX;
        if self.passed_ns < self.wanted_ns || self.completions == 0 || is_rough {
            return Decision::hold(window.limit, "sampling");
        }
        self.last_threads = self.climb(window);
        Decision::hold(self.last_threads, "hill climbing")
    }

    fn rests(&self, _limit: usize, _min_workers: usize) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a noiseless line it climbs, on a noiseless plateau it comes down, as in the original's description.
    #[test]
    fn climbs_a_slope_and_leaves_a_plateau() {
        let end = |throughput: fn(usize) -> f64| {
            let mut climber = HillClimbing::new(10);
            let mut limit = 10;
            for _ in 0..6_000 {
                let completions = throughput(limit) as u64;
                limit = climber
                    .decide(&Window {
                        duration_ns: INTERVAL_NS,
                        completions,
                        limit,
                        cap: 256,
                        ..Window::default()
                    })
                    .limit;
            }
            limit
        };
        assert!(end(|threads| 1_000.0 * threads as f64) > 40);
        assert!(end(|_| 10_000.0) < 10);
    }
}

//! Exact mean value analysis of a closed network: one queue with exponential service, and a delay
//! (Reiser and Lavenberg, 1980; Lazowska et al., *Quantitative System Performance*, chapter 6).

/// What the analysis says of one number of workers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Solution {
    /// Workers.
    pub workers: usize,
    /// Tasks finished a second.
    pub tasks_per_s: f64,
    /// Utilisation of the queue's server.
    pub utilisation: f64,
    /// Mean number at the queue, the one in service included.
    pub at_queue: f64,
}

/// Solves for 1 to `workers` workers: each task needs `demand_ns` of the queue's server and spends
/// `delay_ns` elsewhere.
pub fn solve(demand_ns: f64, delay_ns: f64, workers: usize) -> Vec<Solution> {
    let mut at_queue = 0.0;
    (1..=workers)
        .map(|workers| {
            let residence_ns = demand_ns * (1.0 + at_queue);
            let tasks_per_ns = workers as f64 / (residence_ns + delay_ns);
            at_queue = tasks_per_ns * residence_ns;
            Solution {
                workers,
                tasks_per_s: tasks_per_ns * 1e9,
                utilisation: tasks_per_ns * demand_ns,
                at_queue,
            }
        })
        .collect()
}

/// The most that any number of workers can finish a second: `min(workers / (demand + delay), 1 /
/// demand)`.
pub fn bound_per_s(demand_ns: f64, delay_ns: f64, workers: usize) -> f64 {
    (workers as f64 / (demand_ns + delay_ns)).min(1.0 / demand_ns) * 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook values for a knee of 8 and of 32 (demand 1, delay knee - 1).
    #[test]
    fn agrees_with_published_values() {
        for (knee, at_knee, least_for_95) in [(8, 0.821, 11), (32, 0.888, 37)] {
            let solutions = solve(1.0, f64::from(knee) - 1.0, 64);
            let knee = usize::try_from(knee).unwrap();
            assert!((solutions[knee - 1].utilisation - at_knee).abs() < 5e-4, "{:?}", solutions[knee - 1]);
            let least = solutions.iter().find(|solution| solution.utilisation >= 0.95).unwrap();
            assert_eq!(least.workers, least_for_95);
        }
    }
}

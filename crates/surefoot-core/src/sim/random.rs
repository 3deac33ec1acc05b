//! Random numbers that are the same on every machine: xoshiro256++ seeded by splitmix64 (Blackman and
//! Vigna, public domain), and the distributions that the plant needs.

/// A generator; equal seeds give equal sequences.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

impl Random {
    /// A generator of its own for `stream`: what one part of the plant draws never shifts what
    /// another draws.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut mixer = stream;
        let mut state = seed ^ splitmix(&mut mixer);
        Self(std::array::from_fn(|_| splitmix(&mut state)))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let state = &mut self.0;
        let drawn = state[0].wrapping_add(state[3]).rotate_left(23).wrapping_add(state[0]);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        drawn
    }

    /// Uniform in `0..1`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `0..end`; `end` is above 0.
    pub fn below(&mut self, end: usize) -> usize {
        // The bias of this reduction is below 2^-32 for any number of threads or tasks.
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller, one of the pair).
    pub fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// A distribution of times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// Always the same.
    Fixed(f64),
    /// Exponential with this mean.
    Exponential(f64),
    /// Lognormal with this mean; `sigma` is the deviation of its logarithm.
    Lognormal {
        /// Mean of the times themselves.
        mean_ns: f64,
        /// Deviation of their logarithms.
        sigma: f64,
    },
    /// One of two values.
    Bimodal {
        /// The usual one.
        low_ns: f64,
        /// The rare one.
        high_ns: f64,
        /// How rare.
        high_share: f64,
    },
}

impl Draw {
    /// Draws one time in nanoseconds.
    pub fn draw_ns(self, random: &mut Random) -> f64 {
        match self {
            Self::Fixed(ns) => ns,
            Self::Exponential(mean_ns) => mean_ns * random.exponential(),
            Self::Lognormal { mean_ns, sigma } => {
                mean_ns * (sigma * random.normal() - sigma * sigma / 2.0).exp()
            }
            Self::Bimodal { low_ns, high_ns, high_share } => {
                if random.unit() < high_share {
                    high_ns
                } else {
                    low_ns
                }
            }
        }
    }

    /// The mean in nanoseconds.
    pub fn mean_ns(self) -> f64 {
        match self {
            Self::Fixed(mean_ns) | Self::Exponential(mean_ns) | Self::Lognormal { mean_ns, .. } => mean_ns,
            Self::Bimodal { low_ns, high_ns, high_share } => {
                low_ns * (1.0 - high_share) + high_ns * high_share
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_numbers_and_streams_differ() {
        let of = |seed, stream| Random::new(seed, stream).bits();
        assert_eq!(of(7, 1), of(7, 1));
        assert_ne!(of(7, 1), of(7, 2));
        assert_ne!(of(7, 1), of(8, 1));
    }

    #[test]
    fn every_distribution_has_the_mean_it_names() {
        let mut random = Random::new(1, 0);
        for draw in [
            Draw::Fixed(5.0),
            Draw::Exponential(5.0),
            Draw::Lognormal { mean_ns: 5.0, sigma: 0.5 },
            Draw::Bimodal { low_ns: 1.0, high_ns: 41.0, high_share: 0.1 },
        ] {
            let count = 200_000;
            let mean_ns = (0..count).map(|_| draw.draw_ns(&mut random)).sum::<f64>() / f64::from(count);
            assert!((mean_ns / 5.0 - 1.0).abs() < 0.02, "{draw:?} has mean {mean_ns}");
            assert!((draw.mean_ns() - 5.0).abs() < 1e-9, "{draw:?}");
        }
    }
}

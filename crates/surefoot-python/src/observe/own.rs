//! Pools of ours under observation: they keep their own books and tell each sample besides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use arc_swap::ArcSwapOption;
use surefoot_core::sample::{FunctionId, Sample};
use surefoot_core::sync::lock_std;

use crate::function::Functions;
use crate::observe::books::Observed;

/// Who wants to hear of a pool's samples.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    is_any: AtomicBool,
    all: ArcSwapOption<Vec<Arc<Listener>>>,
}

#[derive(Debug)]
struct Listener {
    observed: Weak<Observed>,
    /// The pool's numbers of functions in the observation's, as far as they were met.
    numbers: Mutex<Vec<Option<FunctionId>>>,
}

impl Listeners {
    /// Adds an observation.
    pub(super) fn add(&self, observed: &Arc<Observed>) {
        let newcomer = Arc::new(Listener { observed: Arc::downgrade(observed), numbers: Mutex::default() });
        self.all.rcu(|all| {
            let present = all.iter().flat_map(|all| all.iter());
            Some(Arc::new(present.chain([&newcomer]).map(Arc::clone).collect::<Vec<_>>()))
        });
        self.is_any.store(true, Ordering::Relaxed);
    }

    /// A task ended.
    #[inline]
    pub(crate) fn tell(&self, functions: &Functions, sample: &Sample, is_ok: bool) {
        if self.is_any.load(Ordering::Relaxed) {
            self.tell_all(functions, sample, is_ok);
        }
    }

    #[inline(never)]
    fn tell_all(&self, functions: &Functions, sample: &Sample, is_ok: bool) {
        for listener in self.all.load().iter().flat_map(|all| all.iter()) {
            let observed = listener.observed.upgrade().filter(|observed| observed.is_on());
            let Some(observed) = observed else { continue };
            let function = listener.number(&observed, functions, sample.function);
            if let Some(mut books) = observed.books() {
                books.told(&Sample { function, ..*sample }, is_ok);
            }
        }
    }

    /// An observation ended.
    pub(super) fn forget_ended(&self) {
        let is_on = |each: &&Arc<Listener>| each.observed.upgrade().is_some_and(|each| each.is_on());
        self.all.rcu(|all| {
            let left: Vec<_> = all.iter().flat_map(|all| all.iter()).filter(is_on).map(Arc::clone).collect();
            (!left.is_empty()).then(|| Arc::new(left))
        });
        self.is_any.store(self.all.load().is_some(), Ordering::Relaxed);
    }
}

impl Listener {
    fn number(&self, observed: &Observed, functions: &Functions, number: FunctionId) -> FunctionId {
        let place = usize::from(number.0);
        let mut numbers = lock_std(&self.numbers);
        if place >= numbers.len() {
            numbers.resize(place + 1, None);
        }
        *numbers[place].get_or_insert_with(|| {
            let name = functions.names().into_iter().nth(place).unwrap_or_default();
            observed.functions.number_of(name)
        })
    }
}

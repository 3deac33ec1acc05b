//! Attribute names, made once.
//!
//! `PyO3`'s `intern!` fills a cell that lets go of the interpreter meanwhile. A process that is forked
//! by another thread just then has a cell in its child that is being filled for ever, and the first
//! use of the name hangs. These need no cell: whoever comes first stores the name, and a second one
//! that was made at the same time is the same object, since names are interned.

use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// The place of one name; it keeps a reference for as long as the process lives.
#[derive(Debug)]
pub(crate) struct Name {
    text: &'static str,
    object: AtomicPtr<ffi::PyObject>,
}

impl Name {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, object: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The name as a string object.
    #[inline]
    pub(crate) fn get<'py>(&'static self, py: Python<'py>) -> &'py Bound<'py, PyString> {
        // Acquire: pairs with the Release in `make`, so that the object is seen whole.
        let object = self.object.load(Ordering::Acquire);
        if object.is_null() { self.make(py) } else { self.borrow(py) }
    }

    #[cold]
    fn make<'py>(&'static self, py: Python<'py>) -> &'py Bound<'py, PyString> {
        let object = PyString::intern(py, self.text).into_ptr();
        // Release: pairs with the Acquire in `get`. A second one leaves its reference behind.
        self.object.store(object, Ordering::Release);
        self.borrow(py)
    }

    fn borrow<'py>(&'static self, _py: Python<'py>) -> &'py Bound<'py, PyString> {
        let place: *const *mut ffi::PyObject = self.object.as_ptr();
        // SAFETY: `Bound` is a pointer to a live object and a token of being attached, which `_py` is
        // evidence of; the place holds such a pointer from now on, whose reference is never given up.
        unsafe { &*place.cast::<Bound<'py, PyString>>() }
    }
}

/// The interned string of a literal, as `pyo3::intern!`.
macro_rules! name {
    ($py:expr, $text:literal) => {{
        static NAME: $crate::name::Name = $crate::name::Name::new($text);
        NAME.get($py)
    }};
}
pub(crate) use name;

//! `submit` as the interpreter calls it.
//!
//! `PyO3` takes `**kwargs` only by the older of `CPython`'s calling conventions, which builds a tuple
//! of all arguments and then another without the first. Here the arguments arrive as an array, and
//! one tuple is made: the task's.

use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::executor::ExecutorCore;

const DOC: &str = "submit($self, fn, /, *args, **kwargs)\n--\n\n\
    Submits a callable to be executed with the given arguments.\n\n\
    Schedules the callable to be executed as fn(*args, **kwargs) and returns\n\
    a Future instance representing the execution of the callable. Safe to call\n\
    from any thread, also from a task of this pool.\n\n\
    Raises RuntimeError after shutdown() or while the interpreter exits, and\n\
    BrokenThreadPool after a worker's initializer has failed.\0";

/// The definition that the method object points to; it lives as long as the process.
struct Definition(ffi::PyMethodDef);

// SAFETY: it is never written after it was made, and points to constants only.
unsafe impl Sync for Definition {}

static DEFINITION: Definition = Definition(ffi::PyMethodDef {
    ml_name: c"submit".as_ptr(),
    ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: enter },
    ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
    ml_doc: DOC.as_ptr().cast::<c_char>(),
});

/// Gives [`ExecutorCore`] its `submit`.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<ExecutorCore>();
    let definition = (&raw const DEFINITION.0).cast_mut();
    // SAFETY: a live type, and a definition that is static and that CPython only reads.
    let method = unsafe { ffi::PyDescr_NewMethod(class.as_type_ptr(), definition) };
    // SAFETY: a new reference, or null with an exception set.
    let method = unsafe { Bound::from_owned_ptr_or_err(py, method) }?;
    class.setattr("submit", method)
}

/// Called by the interpreter: attached, with an instance of [`ExecutorCore`] (the method object
/// checks that), `count` positional arguments and then one for each name.
unsafe extern "C" fn enter(
    executor: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls only attached threads.
    let py = unsafe { Python::assume_attached() };
    let submitted = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: handed on unchanged.
        unsafe { submit(py, executor, args, count, names) }
    }));
    let submitted =
        submitted.unwrap_or_else(|_| Err(PanicException::new_err("surefoot panicked in submit()")));
    match submitted {
        Ok(future) => future.into_ptr(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}

/// # Safety
/// As for [`enter`].
unsafe fn submit(
    py: Python<'_>,
    executor: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> PyResult<Bound<'_, PyAny>> {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: null or a tuple, borrowed for the call.
    let names = unsafe { Bound::from_borrowed_ptr_or_opt(py, names) };
    let names = names.map(Bound::cast_into::<PyTuple>).transpose()?;
    let keyword_count = names.as_ref().map_or(0, PyTupleMethods::len);
    let all: &[*mut ffi::PyObject] = if count + keyword_count == 0 {
        &[]
    } else {
        // SAFETY: the interpreter hands over that many live references, borrowed for the call.
        unsafe { std::slice::from_raw_parts(args, count + keyword_count) }
    };
    // SAFETY: live references, see above.
    let object = |&pointer: &*mut ffi::PyObject| unsafe { Bound::from_borrowed_ptr(py, pointer) };
    let (positional, keywords) = all.split_at(count);
    let Some((function, rest)) = positional.split_first() else {
        return Err(PyTypeError::new_err(
            "ThreadPoolExecutor.submit() missing 1 required positional argument: 'fn'",
        ));
    };
    let kwargs = match names {
        Some(names) if keyword_count > 0 => {
            let kwargs = PyDict::new(py);
            for (name, value) in names.iter().zip(keywords) {
                kwargs.set_item(name, object(value))?;
            }
            Some(kwargs)
        }
        _ => None,
    };
    let args = PyTuple::new(py, rest.iter().map(object))?;
    // SAFETY: a live reference to an instance of the class that owns the method.
    let executor = unsafe { Bound::from_borrowed_ptr(py, executor) };
    ExecutorCore::submit(executor.cast::<ExecutorCore>()?, &object(function), args, kwargs)
}

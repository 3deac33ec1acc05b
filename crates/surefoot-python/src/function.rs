//! Which function a task calls, as a small number: tasks are counted by qualified name.
//!
//! A pool tells [`MOST_NAMES`] names apart, the first it meets; the rest are "(others)". Looking at
//! a plain function costs two loads: its code and its qualified name (decorated functions share the
//! code of the decorator's wrapper) are compared with the last ones that the worker met. Both are
//! kept alive by the table, so that an address means one thing as long as it is in it; neither can
//! hold anything that is the user's.

use std::collections::HashMap;
use std::sync::Mutex;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};
use surefoot_core::sample::FunctionId;
use surefoot_core::sync::lock_std;

use crate::name::name;
use crate::task::Task;

/// Names told apart, "(others)" not counted.
const MOST_NAMES: usize = 64;
/// What all others are called.
const OTHERS: &str = "(others)";
/// Functions remembered by address; beyond, the name is made anew for each task.
const MOST_KEYS: usize = 512;
/// Wrappers looked through: bound methods, `functools.partial`, `Context.run`, objects with `__wrapped__`.
const MOST_WRAPPERS: usize = 8;
/// Characters of a name.
const LONGEST_NAME: usize = 200;

/// The functions that a pool has met.
#[derive(Debug, Default)]
pub(crate) struct Functions(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    by_key: HashMap<Key, FunctionId>,
    by_name: HashMap<String, FunctionId>,
    /// What the addresses in the keys belong to.
    kept: Vec<(Py<PyAny>, Py<PyAny>)>,
}

/// Two addresses that belong to one function as long as they are kept alive; or one of a class or a C
/// function that is the program's own and does not go, with the mark of its kind.
type Key = (usize, usize);
const CLASS: usize = 0;
const BUILTIN: usize = 1;

/// What one worker met last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastSeen {
    key: Key,
    id: FunctionId,
}

impl Functions {
    /// The number of what the task calls.
    #[inline]
    pub(crate) fn id_of(&self, py: Python<'_>, task: &Task, last: &mut LastSeen) -> FunctionId {
        self.id_of_call(task.function.bind(py), task.args.bind(py), last)
    }

    /// The number of what is called with these arguments.
    #[inline]
    pub(crate) fn id_of_call(
        &self,
        function: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        last: &mut LastSeen,
    ) -> FunctionId {
        match address_of(function) {
            Some(key) if key == last.key => last.id,
            key => self.look_up(function, args, key, last),
        }
    }

    #[inline(never)]
    fn look_up(
        &self,
        function: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        key: Option<Key>,
        last: &mut LastSeen,
    ) -> FunctionId {
        let mut function = function.clone();
        let mut key = key;
        // SAFETY: a live object.
        if unsafe { ffi::PyFunction_Check(function.as_ptr()) } == 0 {
            function = unwrapped(function, args);
            key = address_of(&function).filter(|key| key.1 != BUILTIN || !is_of_context(&function));
        }
        if let Some(key) = key {
            let known = lock_std(&self.0).by_key.get(&key).copied();
            if let Some(id) = known {
                *last = LastSeen { key, id };
                return id;
            }
        }
        // Made without the lock: attributes may be Python code.
        let name = name_of(&function).unwrap_or_else(|_| OTHERS.to_owned());
        let kept = key.and_then(|key| owners(&function, key));
        let mut table = lock_std(&self.0);
        let id = table.number(name);
        if let (Some(key), Some(kept)) = (key, kept)
            && table.by_key.len() < MOST_KEYS
        {
            // Two workers may be here for the same function; what is kept twice does no harm.
            table.by_key.insert(key, id);
            table.kept.push(kept);
            *last = LastSeen { key, id };
        }
        id
    }

    /// The number of a function of this name.
    pub(crate) fn number_of(&self, name: String) -> FunctionId {
        lock_std(&self.0).number(name)
    }

    /// The names, each at the place that its number says.
    pub(crate) fn names(&self) -> Vec<String> {
        let table = lock_std(&self.0);
        let mut names = vec![OTHERS.to_owned(); table.by_name.len() + 1];
        for (name, id) in &table.by_name {
            names[usize::from(id.0)].clone_from(name);
        }
        names
    }
}

impl Table {
    fn number(&mut self, name: String) -> FunctionId {
        if let Some(&id) = self.by_name.get(&name) {
            return id;
        }
        let count = self.by_name.len();
        if count >= MOST_NAMES || name == OTHERS {
            return FunctionId::OTHERS;
        }
        let id = u8::try_from(count + 1).map_or(FunctionId::OTHERS, FunctionId);
        self.by_name.insert(name, id);
        id
    }
}

/// The addresses by which a function is known; `None` for what has none that last.
#[inline]
fn address_of(function: &Bound<'_, PyAny>) -> Option<Key> {
    let pointer = method::function_of(function.as_ptr());
    // SAFETY: a live object.
    if unsafe { ffi::PyFunction_Check(pointer) } != 0 {
        let function = pointer.cast::<ffi::PyFunctionObject>();
        // SAFETY: it is a function, alive while it is borrowed; the address is only compared.
        let code = unsafe { (*function).func_code };
        // SAFETY: as above.
        let name = unsafe { (*function).func_qualname };
        return Some((code as usize, name as usize));
    }
    // SAFETY: a live object.
    if unsafe { ffi::PyCFunction_CheckExact(pointer) } != 0 {
        // SAFETY: it is a C function object.
        let entry = unsafe { ffi::PyCFunction_GetFunction(pointer) };
        return entry.map(|entry| (entry as usize, BUILTIN));
    }
    let is_static = |class: *mut ffi::PyTypeObject| {
        // SAFETY: a live type.
        (unsafe { ffi::PyType_GetFlags(class) }) & ffi::Py_TPFLAGS_HEAPTYPE == 0
    };
    // SAFETY: a live object.
    if unsafe { ffi::PyType_Check(pointer) } != 0 {
        // A class that is called; one that was made by a program may go, and its address with it.
        return is_static(pointer.cast()).then_some((pointer as usize, CLASS));
    }
    None
}

/// Bound methods, which `PyO3` does not name.
#[cfg(unix)]
mod method {
    use pyo3::ffi;

    unsafe extern "C" {
        static mut PyMethod_Type: ffi::PyTypeObject;
        fn PyMethod_Function(method: *mut ffi::PyObject) -> *mut ffi::PyObject;
    }

    /// The function of a bound method, borrowed from it; anything else as it is. To be given a live
    /// object by an attached thread.
    #[inline]
    pub(super) fn function_of(pointer: *mut ffi::PyObject) -> *mut ffi::PyObject {
        // SAFETY: the caller's object is live.
        if unsafe { ffi::Py_TYPE(pointer) } != &raw mut PyMethod_Type {
            return pointer;
        }
        // SAFETY: it is a bound method, which never lets its function go.
        unsafe { PyMethod_Function(pointer) }
    }
}
/// Bound methods take the long way.
#[cfg(not(unix))]
mod method {
    pub(super) fn function_of(pointer: *mut pyo3::ffi::PyObject) -> *mut pyo3::ffi::PyObject {
        pointer
    }
}

/// What the addresses of `key` belong to, to be kept alive; `None` if the function was changed
/// meanwhile.
fn owners(function: &Bound<'_, PyAny>, key: Key) -> Option<(Py<PyAny>, Py<PyAny>)> {
    let py = function.py();
    if key.1 == CLASS || key.1 == BUILTIN {
        return Some((py.None(), py.None()));
    }
    let code = function.getattr(name!(py, "__code__")).ok()?;
    let name = function.getattr(name!(py, "__qualname__")).ok()?;
    ((code.as_ptr() as usize, name.as_ptr() as usize) == key).then(|| (code.unbind(), name.unbind()))
}

/// Looks through what only passes a call on.
fn unwrapped<'py>(function: Bound<'py, PyAny>, args: &Bound<'py, PyTuple>) -> Bound<'py, PyAny> {
    let Ok(wrappers) = Wrappers::get(function.py()) else { return function };
    let mut args = args.clone();
    let mut function = function;
    for _ in 0..MOST_WRAPPERS {
        match wrappers.inside(&function, &args) {
            Some((inner, inner_args)) => (function, args) = (inner, inner_args),
            None => break,
        }
    }
    function
}

/// Whether this is a method of a `contextvars.Context`.
fn is_of_context(function: &Bound<'_, PyAny>) -> bool {
    let pointer = function.as_ptr();
    // SAFETY: a live object.
    if unsafe { ffi::PyCFunction_CheckExact(pointer) } == 0 {
        return false;
    }
    // SAFETY: it is a C function object; what it is bound to, if anything, lives as long.
    let bound_to = unsafe { ffi::PyCFunction_GetSelf(pointer) };
    // SAFETY: a live object.
    !bound_to.is_null() && unsafe { ffi::PyContext_CheckExact(bound_to) } != 0
}

/// Classes of objects that pass a call on.
struct Wrappers {
    method: Py<PyType>,
    builtin: Py<PyType>,
    partial: Py<PyType>,
}

static WRAPPERS: PyOnceLock<Wrappers> = PyOnceLock::new();

/// Looks up what this module will need; called before there can be a second thread of ours.
pub(crate) fn start(py: Python<'_>) -> PyResult<()> {
    Wrappers::get(py).map(|_| ())
}

impl Wrappers {
    fn get(py: Python<'_>) -> PyResult<&Self> {
        WRAPPERS.get_or_try_init(py, || {
            let class = |module: &str, name: &str| -> PyResult<Py<PyType>> {
                Ok(py.import(module)?.getattr(name)?.cast_into::<PyType>()?.unbind())
            };
            Ok(Self {
                method: class("types", "MethodType")?,
                builtin: class("types", "BuiltinFunctionType")?,
                partial: class("functools", "partial")?,
            })
        })
    }

    fn inside<'py>(
        &self,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
    ) -> Option<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = function.py();
        let class = function.get_type();
        if class.is(&self.method) {
            return Some((function.getattr(name!(py, "__func__")).ok()?, args.clone()));
        }
        if class.is(&self.partial) {
            let given = function.getattr(name!(py, "args")).ok()?.cast_into::<PyTuple>().ok()?;
            let args = if given.is_empty() { args.clone() } else { given };
            return Some((function.getattr(name!(py, "func")).ok()?, args));
        }
        if is_of_context(function) {
            // `Context.run(function, ...)`, which is what `asyncio.to_thread` submits.
            let inner = args.get_item(0).ok()?;
            return Some((inner, args.get_slice(1, args.len())));
        }
        if address_of(function).is_some() {
            return None;
        }
        // An object that says what it calls, in the way of `functools.wraps`.
        let inner = function.getattr_opt(name!(py, "__wrapped__")).ok()??;
        Some((inner, args.clone()))
    }
}

/// Module and qualified name: of a function or class its own, of another object its class's.
fn name_of(function: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = function.py();
    let wrappers = Wrappers::get(py)?;
    // SAFETY: a live object.
    let is_function = unsafe { ffi::PyFunction_Check(function.as_ptr()) } != 0;
    let has_own =
        is_function || function.is_instance_of::<PyType>() || function.get_type().is(&wrappers.builtin);
    let named = if has_own { function.clone() } else { function.get_type().into_any() };
    let name = named.getattr(name!(py, "__qualname__"))?.extract::<String>()?;
    let module = named.getattr(name!(py, "__module__"))?.extract::<Option<String>>()?;
    let name = module.map_or_else(|| name.clone(), |module| format!("{module}.{name}"));
    Ok(name.chars().take(LONGEST_NAME).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded() {
        let mut table = Table::default();
        let numbers: Vec<_> = (0..100).map(|number| table.number(format!("f{number}"))).collect();
        assert_eq!(numbers[..64], (1..=64).map(FunctionId).collect::<Vec<_>>());
        assert!(numbers[64..].iter().all(|&id| id == FunctionId::OTHERS));
        assert_eq!(table.number("f7".to_owned()), FunctionId(8));
        assert_eq!(table.number(OTHERS.to_owned()), FunctionId::OTHERS);
    }
}

//! Entries of a suite that are a name, or a table with more to say.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A table, or the name alone of one that says nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Named<T>(pub(crate) T);

// By hand, since serde's untagged enums do not say which key of the table is wrong.
impl<'de, T: Deserialize<'de> + From<String>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + From<String>> Visitor<'de> for NameOrTable<T> {
            type Value = T;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a name, or a table with a name")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<T, E> {
                Ok(T::from(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(table))
            }
        }
        deserializer.deserialize_any(NameOrTable(PhantomData)).map(Self)
    }
}

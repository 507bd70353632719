use std::sync::Arc;

use crate::config::{SchemaConfig, Task};
use crate::schema::Label;
use crate::state::{StateError, TensorMap};

/// The classes and their indices: declared, or discovered in the order of their labels.
#[derive(Debug, Clone)]
pub struct Classes {
    names: Arc<[Box<str>]>,
    /// Most classes; labels of further ones are refused.
    max: usize,
}

impl Classes {
    pub fn new(schema: &SchemaConfig) -> Self {
        let max = if schema.task == Task::Regression { 0 } else { schema.outputs() };
        Self { names: schema.classes.iter().map(|name| name.as_str().into()).collect(), max }
    }

    pub fn names(&self) -> Arc<[Box<str>]> {
        self.names.clone()
    }

    /// The first `count` names: those that were known at an earlier time.
    pub fn first(&self, count: usize) -> Arc<[Box<str>]> {
        self.names.iter().take(count).cloned().collect()
    }

    /// A label in the model's terms; a class that is new takes the next index, up to the bound.
    pub fn target(&mut self, label: &Label) -> Result<f32, String> {
        match label {
            Label::Number(value) => Ok(*value),
            Label::Class(index) => Ok(f32::from(*index)),
            Label::Name(name) => {
                if let Some(index) = self.names.iter().position(|known| known == name) {
                    return Ok(index as f32);
                }
                if self.names.len() == self.max {
                    return Err(format!(
                        "label {name:?} would be class {}, expected one of the {} discovered ones; raise schema.classes_max",
                        self.max + 1,
                        self.max
                    ));
                }
                self.names = self.names.iter().cloned().chain([name.clone()]).collect();
                Ok((self.names.len() - 1) as f32)
            }
        }
    }

    pub fn save(&self) -> TensorMap {
        let mut map = TensorMap::new();
        let names = serde_json::to_vec(&self.names.to_vec()).expect("texts are JSON");
        map.put_bytes("names", names);
        map
    }

    pub fn load(&mut self, state: &TensorMap) -> Result<(), StateError> {
        let names: Vec<Box<str>> =
            serde_json::from_slice(state.bytes("names")?).map_err(|error| StateError::Mismatch {
                path: "names".into(),
                found: error.to_string(),
                expected: "a JSON list of texts".into(),
            })?;
        self.names = names.into();
        Ok(())
    }
}

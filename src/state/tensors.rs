use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest as _, Sha256};

/// Why a state could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("tensor {path:?} is missing")]
    Missing { path: String },
    #[error("tensor {path:?} is {found}, expected {expected}")]
    Mismatch { path: String, found: String, expected: String },
    #[error("not a safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
}

/// Element types that a state may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    U8,
    U32,
    U64,
    I64,
    F32,
    F64,
}

impl Dtype {
    fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    fn to_safetensors(self) -> safetensors::Dtype {
        match self {
            Self::U8 => safetensors::Dtype::U8,
            Self::U32 => safetensors::Dtype::U32,
            Self::U64 => safetensors::Dtype::U64,
            Self::I64 => safetensors::Dtype::I64,
            Self::F32 => safetensors::Dtype::F32,
            Self::F64 => safetensors::Dtype::F64,
        }
    }

    fn from_safetensors(dtype: safetensors::Dtype) -> Option<Self> {
        Some(match dtype {
            safetensors::Dtype::U8 => Self::U8,
            safetensors::Dtype::U32 => Self::U32,
            safetensors::Dtype::U64 => Self::U64,
            safetensors::Dtype::I64 => Self::I64,
            safetensors::Dtype::F32 => Self::F32,
            safetensors::Dtype::F64 => Self::F64,
            _ => return None,
        })
    }
}

/// A dense array of little-endian elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl safetensors::View for &Tensor {
    fn dtype(&self) -> safetensors::Dtype {
        self.dtype.to_safetensors()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        (&self.bytes).into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// SHA-256 over tensors in path order: name, dtype, shape, bytes; never over a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Digest {
    /// The digest of digests, such as `state` over `model`, `monitors` and `join`.
    pub fn over(parts: &[Digest]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part.0);
        }
        Self(hasher.finalize().into())
    }
}

/// Named tensors in path order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TensorMap(BTreeMap<String, Tensor>);

macro_rules! numbers {
    ($put:ident, $get:ident, $put_one:ident, $get_one:ident, $t:ty, $dtype:expr) => {
        /// Puts a vector under a path.
        pub fn $put(&mut self, path: impl Into<String>, values: &[$t]) {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            self.0.insert(path.into(), Tensor { dtype: $dtype, shape: vec![values.len()], bytes });
        }

        /// The vector under a path, flattened when it has more dimensions.
        pub fn $get(&self, path: &str) -> Result<Vec<$t>, StateError> {
            let bytes = self.typed(path, $dtype)?;
            let (chunks, _) = bytes.as_chunks::<{ size_of::<$t>() }>();
            Ok(chunks.iter().map(|chunk| <$t>::from_le_bytes(*chunk)).collect())
        }

        /// Puts a single number under a path.
        pub fn $put_one(&mut self, path: impl Into<String>, value: $t) {
            self.$put(path, &[value]);
        }

        /// The single number under a path.
        pub fn $get_one(&self, path: &str) -> Result<$t, StateError> {
            match self.$get(path)?.as_slice() {
                [one] => Ok(*one),
                more => Err(StateError::Mismatch {
                    path: path.into(),
                    found: format!("{} elements", more.len()),
                    expected: "1 element".into(),
                }),
            }
        }
    };
}

impl TensorMap {
    pub fn new() -> Self {
        Self::default()
    }

    numbers!(put_f32, f32s, put_f32_one, f32_one, f32, Dtype::F32);
    numbers!(put_f64, f64s, put_f64_one, f64_one, f64, Dtype::F64);
    numbers!(put_u32, u32s, put_u32_one, u32_one, u32, Dtype::U32);
    numbers!(put_u64, u64s, put_u64_one, u64_one, u64, Dtype::U64);
    numbers!(put_i64, i64s, put_i64_one, i64_one, i64, Dtype::I64);

    /// Puts bytes under a path.
    pub fn put_bytes(&mut self, path: impl Into<String>, bytes: Vec<u8>) {
        self.0.insert(path.into(), Tensor { dtype: Dtype::U8, shape: vec![bytes.len()], bytes });
    }

    /// The bytes under a path.
    pub fn bytes(&self, path: &str) -> Result<&[u8], StateError> {
        self.typed(path, Dtype::U8)
    }

    /// Puts a tensor of any shape under a path.
    pub fn put(&mut self, path: impl Into<String>, tensor: Tensor) {
        self.0.insert(path.into(), tensor);
    }

    pub fn get(&self, path: &str) -> Result<&Tensor, StateError> {
        self.0.get(path).ok_or_else(|| StateError::Missing { path: path.into() })
    }

    /// Takes `other` in, under the paths that it has.
    pub fn extend(&mut self, other: TensorMap) {
        self.0.extend(other.0);
    }

    /// Takes `other` in under `prefix/`.
    pub fn nest(&mut self, prefix: &str, other: TensorMap) {
        self.0.extend(other.0.into_iter().map(|(path, tensor)| (format!("{prefix}/{path}"), tensor)));
    }

    /// What lies under `prefix/`, with the prefix taken off.
    pub fn under(&self, prefix: &str) -> TensorMap {
        let start = format!("{prefix}/");
        TensorMap(
            self.0
                .range(start.clone()..)
                .take_while(|(path, _)| path.starts_with(&start))
                .map(|(path, tensor)| (path[start.len()..].to_owned(), tensor.clone()))
                .collect(),
        )
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(path, tensor)| (path.as_str(), tensor))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// SHA-256 over the tensors in path order.
    pub fn digest(&self) -> Digest {
        let mut hasher = Sha256::new();
        for (path, tensor) in &self.0 {
            hasher.update((path.len() as u64).to_le_bytes());
            hasher.update(path.as_bytes());
            hasher.update(tensor.dtype.name().as_bytes());
            hasher.update((tensor.shape.len() as u64).to_le_bytes());
            for size in &tensor.shape {
                hasher.update((*size as u64).to_le_bytes());
            }
            hasher.update(&tensor.bytes);
        }
        Digest(hasher.finalize().into())
    }

    /// As the bytes of a safetensors file.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, StateError> {
        Ok(safetensors::serialize(self.0.iter(), None)?)
    }

    /// From the bytes of a safetensors file.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, StateError> {
        let file = safetensors::SafeTensors::deserialize(bytes)?;
        let mut map = Self::new();
        for (path, view) in file.iter() {
            let dtype = Dtype::from_safetensors(view.dtype()).ok_or_else(|| StateError::Mismatch {
                path: path.into(),
                found: format!("{:?}", view.dtype()),
                expected: "one of u8, u32, u64, i64, f32, f64".into(),
            })?;
            let tensor = Tensor { dtype, shape: view.shape().to_vec(), bytes: view.data().to_vec() };
            map.0.insert(path.to_owned(), tensor);
        }
        Ok(map)
    }

    fn typed(&self, path: &str, dtype: Dtype) -> Result<&[u8], StateError> {
        let tensor = self.get(path)?;
        if tensor.dtype != dtype {
            return Err(StateError::Mismatch {
                path: path.into(),
                found: tensor.dtype.name().into(),
                expected: dtype.name().into(),
            });
        }
        Ok(&tensor.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TensorMap {
        let mut map = TensorMap::new();
        map.put_f32("weights", &[1.0, -2.5, f32::MIN_POSITIVE]);
        map.put_u64_one("count", 7);
        map.put_bytes("name", b"tide".to_vec());
        let mut outer = TensorMap::new();
        outer.nest("learner", map);
        outer
    }

    #[test]
    fn a_state_survives_its_file_with_an_equal_digest() {
        let map = sample();
        let back = TensorMap::from_safetensors(&map.to_safetensors().unwrap()).unwrap();
        assert_eq!(back, map);
        assert_eq!(back.digest(), map.digest());
        assert_eq!(back.under("learner").f32s("weights").unwrap(), [1.0, -2.5, f32::MIN_POSITIVE]);
    }

    #[test]
    fn any_change_of_name_shape_or_value_changes_the_digest() {
        let digest = sample().digest();
        let mut other = sample();
        other.put_u64_one("learner/count", 8);
        assert_ne!(other.digest(), digest);
        let mut other = sample();
        other.put_f32("learner/weight", &[]);
        assert_ne!(other.digest(), digest);
    }

    #[test]
    fn a_wrong_type_is_named() {
        let error = sample().f64s("learner/weights").unwrap_err().to_string();
        assert_eq!(error, "tensor \"learner/weights\" is f32, expected f64");
    }
}

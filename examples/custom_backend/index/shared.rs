//! Values that are copied when they are first changed.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A value that clones of it share until one of them is changed.
#[derive(Debug, Default)]
pub struct Shared<T>(Arc<T>);

// Not derived: a derived one would ask for `T: Clone`, though only the pointer is cloned.
impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

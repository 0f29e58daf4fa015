//! Tools of the node itself, one file a category.

pub mod catalog;

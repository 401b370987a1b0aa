//! Where the repository is.

use std::path::{Path, PathBuf};

/// The workspace's root: the parent of this crate's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

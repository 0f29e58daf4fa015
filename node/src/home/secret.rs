//! Secret key files: read only when nobody else could have read them.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::{HomeError, write_atomically};

/// Reads a secret of exactly `N` bytes; `None` when there is no such file. A file whose mode is wider than 0600, or
/// that belongs to someone else, is refused.
pub fn read_secret<const N: usize>(path: &Path) -> Result<Option<Zeroizing<[u8; N]>>, HomeError> {
    let Some((file, length)) = open_private(path)? else {
        return Ok(None);
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(N + 1));
    file.take(N as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| HomeError::io("read", path, source))?;
    match <[u8; N]>::try_from(bytes.as_slice()) {
        Ok(secret) => Ok(Some(Zeroizing::new(secret))),
        Err(_) => Err(HomeError::SecretSize {
            path: path.to_path_buf(),
            expected: N,
            found: usize::try_from(length).unwrap_or(usize::MAX),
        }),
    }
}

/// Reads a secret that is text, at most `bytes_max` of it, without the white space around it; refuses what
/// [`read_secret`] refuses.
pub fn read_secret_text(
    path: &Path,
    bytes_max: u64,
) -> Result<Option<Zeroizing<String>>, HomeError> {
    let Some((file, _)) = open_private(path)? else {
        return Ok(None);
    };
    let mut text = Zeroizing::new(String::new());
    file.take(bytes_max)
        .read_to_string(&mut text)
        .map_err(|source| HomeError::io("read", path, source))?;
    Ok(Some(Zeroizing::new(text.trim().to_owned())))
}

/// The file and its length, if it is there and nobody else can read it.
fn open_private(path: &Path) -> Result<Option<(File, u64)>, HomeError> {
    let failed = |source| HomeError::io("read", path, source);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // Of the open file, so that what is checked is what is read.
    let metadata = file.metadata().map_err(failed)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(HomeError::NotOurs {
            path: path.to_path_buf(),
            owner: metadata.uid(),
        });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o177 != 0 {
        return Err(HomeError::TooOpen {
            path: path.to_path_buf(),
            mode,
        });
    }
    Ok(Some((file, metadata.len())))
}

/// Writes a secret with mode 0600, atomically.
pub fn write_secret(path: &Path, secret: &[u8]) -> Result<(), HomeError> {
    write_atomically(path, secret).map_err(|source| HomeError::io("write", path, source))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_read_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(read_secret::<32>(&path).unwrap().is_none());
        write_secret(&path, &[7; 32]).unwrap();
        assert_eq!(*read_secret::<32>(&path).unwrap().unwrap(), [7; 32]);
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_secret(&path, &[7; 32]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = read_secret::<32>(&path).unwrap_err();
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }

    #[test]
    fn a_text_is_read_without_the_white_space_around_it_and_only_when_it_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(read_secret_text(&path, 100).unwrap().is_none());
        write_secret(&path, b" token\n").unwrap();
        let read = read_secret_text(&path, 100).unwrap().unwrap();
        assert_eq!(read.as_str(), "token");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(read_secret_text(&path, 100).is_err());
    }

    #[test]
    fn a_secret_of_the_wrong_size_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_secret(&path, b"short secret").unwrap();
        let refused = read_secret::<32>(&path).unwrap_err().to_string();
        assert!(refused.contains("12 bytes"), "{refused}");
        assert!(!refused.contains("short secret"), "{refused}");
    }
}

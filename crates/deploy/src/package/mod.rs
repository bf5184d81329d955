//! The package of the function that counts usage: a zip that holds the command line's own executable as `bootstrap`.
//!
//! The executable is the function: started under the name `bootstrap` by Lambda, `zae-limiter` answers events in place of
//! commands. So whoever can deploy has all that a deployment needs: there is nothing to build, nothing to download, and no
//! second artefact whose version could differ.

mod elf;

use std::fmt;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub use self::elf::{GlibcVersion, Unfit};

/// The name under which Lambda starts what is in a package.
pub const BOOTSTRAP: &str = "bootstrap";
/// The largest package, in bytes.
pub const MAX_BYTES: usize = 10_000_000;

/// What every executable that holds this crate can be told by.
const MARK: &str = concat!("zae-limiter function ", env!("CARGO_PKG_VERSION"), ".");

/// A processor that Lambda runs functions on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// 64-bit ARM.
    Arm64,
    /// 64-bit x86.
    X86_64,
}

impl Architecture {
    /// As Lambda calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The executable cannot be read.
    #[error("cannot read the executable {}: {source}", path.display())]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Lambda could not start it.
    #[error("{} cannot be the function: {problem}", path.display())]
    Unfit {
        /// The executable.
        path: PathBuf,
        /// What is wrong with it.
        problem: Unfit,
    },
    /// It is some other program, or another version of this one.
    #[error(
        "{} cannot be the function: it is not zae-limiter {}. Name the executable of this release",
        path.display(),
        env!("CARGO_PKG_VERSION")
    )]
    Foreign {
        /// The executable.
        path: PathBuf,
    },
    /// It is too large.
    #[error(
        "the package would have {bytes} bytes, {MAX_BYTES} at most are allowed: use a release build, with its symbols \
         stripped"
    )]
    TooLarge {
        /// Bytes of the package.
        bytes: usize,
    },
    /// It could not be compressed.
    #[error("the package could not be written: {0}")]
    Write(#[from] zip::result::ZipError),
}

/// A package that Lambda can run.
#[derive(Clone, PartialEq, Eq)]
pub struct Package {
    zip: Vec<u8>,
    executable_bytes: usize,
    architecture: Architecture,
    glibc: Option<GlibcVersion>,
    sha256: [u8; 32],
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Package")
            .field("bytes", &self.zip.len())
            .field("architecture", &self.architecture)
            .field("sha256", &self.sha256_hex())
            .finish_non_exhaustive()
    }
}

impl Package {
    /// Packs the executable that is running. It has to be the command line: a Python interpreter that has loaded this
    /// crate is refused, as it would not be the function.
    pub fn of_this_executable() -> Result<Self, PackageError> {
        let path = std::env::current_exe();
        let path =
            path.map_err(|source| PackageError::Read { path: PathBuf::from("of this process"), source })?;
        Self::of_executable(&path)
    }

    /// Packs the executable of the command line that is at `path`.
    pub fn of_executable(path: &Path) -> Result<Self, PackageError> {
        let bytes =
            std::fs::read(path).map_err(|source| PackageError::Read { path: path.to_owned(), source })?;
        let fit =
            elf::inspect(&bytes).map_err(|problem| PackageError::Unfit { path: path.to_owned(), problem })?;
        if memchr::memmem::find(&bytes, MARK.as_bytes()).is_none() {
            return Err(PackageError::Foreign { path: path.to_owned() });
        }
        let zip = zipped(&bytes)?;
        if zip.len() > MAX_BYTES {
            return Err(PackageError::TooLarge { bytes: zip.len() });
        }
        let sha256 = Sha256::digest(&zip).into();
        Ok(Self {
            zip,
            executable_bytes: bytes.len(),
            architecture: fit.architecture,
            glibc: fit.glibc,
            sha256,
        })
    }

    /// The zip. The same executable gives the same bytes.
    pub fn zip(&self) -> &[u8] {
        &self.zip
    }

    /// Bytes of the executable in it.
    pub const fn executable_bytes(&self) -> usize {
        self.executable_bytes
    }

    /// The processor that it runs on.
    pub const fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The oldest glibc that it runs with; `None` if it needs none.
    pub const fn glibc(&self) -> Option<GlibcVersion> {
        self.glibc
    }

    /// Its SHA-256 in hexadecimal digits.
    pub fn sha256_hex(&self) -> String {
        use std::fmt::Write as _;
        self.sha256.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Its SHA-256 as Lambda tells that of a function's code.
    pub fn sha256_base64(&self) -> String {
        aws_smithy_types::base64::encode(self.sha256)
    }

    /// The key of the object that it is kept under in the stack's bucket: another for other contents, as CloudFormation
    /// only looks at the key to see whether code changed.
    pub fn object_key(&self) -> String {
        format!("zae-limiter-{}-{}.zip", env!("CARGO_PKG_VERSION"), &self.sha256_hex()[..16])
    }
}

fn zipped(executable: &[u8]) -> Result<Vec<u8>, zip::result::ZipError> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    // Without the time of writing, which would make every package another one.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o755);
    writer.start_file(BOOTSTRAP, options)?;
    writer.write_all(executable)?;
    Ok(writer.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_zip_holds_an_executable_bootstrap_and_is_the_same_each_time() {
        let zip = zipped(b"contents").unwrap();
        assert_eq!(zip, zipped(b"contents").unwrap());
        let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut file = archive.by_name(BOOTSTRAP).unwrap();
        assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        assert_eq!(file.compression(), CompressionMethod::Deflated);
        let mut contents = Vec::new();
        file.read_to_end(&mut contents).unwrap();
        assert_eq!(contents, b"contents");
    }

    #[test]
    fn what_is_not_the_command_line_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        let missing = Package::of_executable(&path).unwrap_err();
        assert!(missing.to_string().starts_with("cannot read the executable"), "{missing}");
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        let script = Package::of_executable(&path).unwrap_err();
        assert!(matches!(script, PackageError::Unfit { problem: Unfit::NotElf, .. }), "{script}");
    }

    /// Any program of this host would do: it starts on Lambda, but does not count usage there.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn another_program_is_refused() {
        let shell = Package::of_executable(Path::new("/bin/sh")).unwrap_err();
        assert!(matches!(shell, PackageError::Foreign { .. }), "{shell}");
    }
}

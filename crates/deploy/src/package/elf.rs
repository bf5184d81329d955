//! Whether Lambda could start an executable: `provided.al2023` is Linux with glibc 2.34 on arm64 or `x86_64`.

use std::fmt;

use object::elf::{self, FileHeader64, PT_INTERP};
use object::endian::LittleEndian;
use object::read::elf::{FileHeader, ProgramHeader};

use super::Architecture;

/// The glibc of `provided.al2023`.
const GLIBC: GlibcVersion = GlibcVersion { major: 2, minor: 34 };
/// What the names of glibc's versions start with in an executable.
const PREFIX: &[u8] = b"GLIBC_";

/// A version of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlibcVersion {
    /// 2 since 1997.
    pub major: u32,
    /// Counts releases.
    pub minor: u32,
}

impl fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl GlibcVersion {
    /// Reads `GLIBC_2.34`. Of `GLIBC_2.2.5` the last part is left out; private versions are none.
    fn of_symbol(name: &[u8]) -> Option<Self> {
        let version = std::str::from_utf8(name.strip_prefix(PREFIX)?).ok()?;
        let mut parts = version.split('.');
        Some(Self { major: parts.next()?.parse().ok()?, minor: parts.next()?.parse().ok()? })
    }
}

/// Why Lambda could not start an executable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It is for another system.
    #[error("it is not a program for Linux. Use the release of zae-limiter for Linux")]
    NotElf,
    /// It is for another kind of processor.
    #[error(
        "it is for another processor than arm64 and x86_64. Use the release of zae-limiter for one of these"
    )]
    Processor,
    /// It is damaged.
    #[error("it cannot be read as a program: {0}")]
    Damaged(String),
    /// It needs something else than glibc.
    #[error(
        "it is started by {0:?}, which provided.al2023 does not have. Use a build for glibc or a static one"
    )]
    Interpreter(String),
    /// It needs a newer glibc.
    #[error(
        "it needs glibc {0}, provided.al2023 has {GLIBC}. Use a release build, or build it where glibc is older"
    )]
    Glibc(GlibcVersion),
}

/// What an executable that Lambda can start needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) architecture: Architecture,
    pub(super) glibc: Option<GlibcVersion>,
}

/// Reads what an executable needs, and says whether Lambda has it.
pub(super) fn inspect(executable: &[u8]) -> Result<Fit, Unfit> {
    let damaged = |error: object::Error| Unfit::Damaged(error.to_string());
    // Other systems have other formats, or another mark in this one; both processors are 64-bit and little-endian.
    if !executable.starts_with(&elf::ELFMAG) {
        return Err(Unfit::NotElf);
    }
    let header = FileHeader64::<LittleEndian>::parse(executable).map_err(|_| Unfit::Processor)?;
    let ident = header.e_ident();
    if ![elf::ELFOSABI_SYSV, elf::ELFOSABI_LINUX].contains(&ident.os_abi) {
        return Err(Unfit::NotElf);
    }
    let endian = header.endian().map_err(|_| Unfit::Processor)?;
    let architecture = match header.e_machine(endian) {
        elf::EM_X86_64 => Architecture::X86_64,
        elf::EM_AARCH64 => Architecture::Arm64,
        _ => return Err(Unfit::Processor),
    };
    for program in header.program_headers(endian, executable).map_err(damaged)? {
        if program.p_type(endian) != PT_INTERP {
            continue;
        }
        let name = program.interpreter(endian, executable).map_err(damaged)?.unwrap_or_default();
        if !name.windows(8).any(|part| part == b"ld-linux") {
            return Err(Unfit::Interpreter(String::from_utf8_lossy(name).into_owned()));
        }
    }
    let glibc = glibc_of(header, endian, executable).map_err(damaged)?;
    match glibc {
        Some(needed) if needed > GLIBC => Err(Unfit::Glibc(needed)),
        _ => Ok(Fit { architecture, glibc }),
    }
}

/// The newest glibc that a symbol of the executable is taken from.
fn glibc_of(
    header: &FileHeader64<LittleEndian>,
    endian: LittleEndian,
    executable: &[u8],
) -> object::read::Result<Option<GlibcVersion>> {
    let sections = header.sections(endian, executable)?;
    let Some((mut needs, link)) = sections.gnu_verneed(endian, executable)? else { return Ok(None) };
    let strings = sections.strings(endian, executable, link)?;
    let mut newest = None;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            newest = newest.max(GlibcVersion::of_symbol(version.name(endian, strings)?));
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_glibc_are_read_and_ordered() {
        let version = |major, minor| Some(GlibcVersion { major, minor });
        assert_eq!(GlibcVersion::of_symbol(b"GLIBC_2.34"), version(2, 34));
        assert_eq!(GlibcVersion::of_symbol(b"GLIBC_2.2.5"), version(2, 2));
        for none in [&b"GLIBC_PRIVATE"[..], b"GCC_3.0", b"GLIBCXX_3.4", b"GLIBC_", b"GLIBC_2"] {
            assert_eq!(GlibcVersion::of_symbol(none), None);
        }
        assert!(version(2, 9) < version(2, 34) && None < version(2, 0));
    }

    #[test]
    fn what_is_not_for_linux_or_damaged_is_refused() {
        assert_eq!(inspect(b""), Err(Unfit::NotElf));
        assert_eq!(inspect(b"MZ\x90\0 a program for Windows"), Err(Unfit::NotElf));
        assert_eq!(inspect(b"\xcf\xfa\xed\xfe a program for macOS"), Err(Unfit::NotElf));
        assert_eq!(inspect(b"\x7fELF"), Err(Unfit::Processor));
    }

    /// The tests themselves are a program for Linux; every byte that is looked at is turned into what would not do.
    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    mod own {
        use super::*;

        fn own() -> Vec<u8> {
            std::fs::read(std::env::current_exe().unwrap()).unwrap()
        }

        fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
            assert_eq!(from.len(), to.len());
            let places: Vec<usize> = memchr::memmem::find_iter(bytes, from).collect();
            assert!(!places.is_empty());
            for at in places {
                bytes[at..at + from.len()].copy_from_slice(to);
            }
        }

        #[test]
        fn it_is_fit_and_its_needs_are_read() {
            let fit = inspect(&own()).unwrap();
            let expected =
                if cfg!(target_arch = "x86_64") { Architecture::X86_64 } else { Architecture::Arm64 };
            assert_eq!(fit.architecture, expected);
            assert!(fit.glibc > Some(GlibcVersion { major: 2, minor: 2 }), "{fit:?}");
        }

        #[test]
        fn a_newer_glibc_is_refused() {
            let mut newer = own();
            let needed = inspect(&newer).unwrap().glibc.unwrap();
            replace(&mut newer, format!("GLIBC_{needed}\0").as_bytes(), b"GLIBC_2.99\0");
            let refused = inspect(&newer).unwrap_err();
            assert_eq!(refused, Unfit::Glibc(GlibcVersion { major: 2, minor: 99 }));
            assert!(refused.to_string().contains("needs glibc 2.99, provided.al2023 has 2.34"), "{refused}");
        }

        #[test]
        fn another_libc_system_or_processor_is_refused() {
            let mut musl = own();
            replace(&mut musl, b"ld-linux", b"ld-musl-");
            assert!(matches!(inspect(&musl), Err(Unfit::Interpreter(_))));
            let mut bsd = own();
            bsd[7] = 9;
            assert_eq!(inspect(&bsd), Err(Unfit::NotElf));
            let mut riscv = own();
            riscv[18] = 243;
            assert_eq!(inspect(&riscv), Err(Unfit::Processor));
            let mut narrow = own();
            narrow[4] = 1;
            assert_eq!(inspect(&narrow), Err(Unfit::Processor));
            let whole = own();
            assert!(matches!(inspect(&whole[..200]), Err(Unfit::Damaged(_))));
        }
    }
}

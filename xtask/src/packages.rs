//! The system packages: what is needed, what is missing, and how it comes.

use crate::{cargo, exit::Exit};
use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
    process::{Command, Stdio},
};

/// Something that the system must have.
pub(crate) struct Need {
    /// What it is for.
    pub(crate) purpose: &'static str,
    /// The Debian package that brings it.
    pub(crate) package: &'static str,
    probe: Probe,
}

/// How to see whether it is there.
enum Probe {
    /// A program that answers to `--version`.
    Program(&'static str),
    /// A library with its headers, known to pkg-config.
    Library(&'static str),
    /// A plugin file of GStreamer. `gst-inspect-1.0 --exists` would not do: it says no to a plugin that is there
    /// when its version is below the asked one.
    Plugin(&'static str),
}

/// Everything that simulating and testing need, in the order in which it makes sense to look.
pub(crate) const NEEDS: &[Need] = &[
    Need { purpose: "C compiler", package: "gcc", probe: Probe::Program("cc") },
    Need { purpose: "finds libraries", package: "pkg-config", probe: Probe::Program("pkg-config") },
    Need { purpose: "GStreamer", package: "libgstreamer1.0-dev", probe: Probe::Library("gstreamer-1.0") },
    Need {
        purpose: "GStreamer video",
        package: "libgstreamer-plugins-base1.0-dev",
        probe: Probe::Library("gstreamer-video-1.0"),
    },
    Need {
        purpose: "GStreamer audio",
        package: "libgstreamer-plugins-base1.0-dev",
        probe: Probe::Library("gstreamer-audio-1.0"),
    },
    Need { purpose: "Opus codec", package: "gstreamer1.0-plugins-base", probe: Probe::Plugin("libgstopus.so") },
    Need { purpose: "VP8 codec", package: "gstreamer1.0-plugins-good", probe: Probe::Plugin("libgstvpx.so") },
];

/// The oldest GStreamer that the media room is written for.
const OLDEST_GSTREAMER: &str = "1.22";

impl Need {
    /// Whether it is there.
    pub(crate) fn is_met(&self) -> bool {
        match self.probe {
            Probe::Program(program) => cargo::answers(program, &["--version"]),
            Probe::Library(library) => cargo::answers("pkg-config", &["--atleast-version", OLDEST_GSTREAMER, library]),
            Probe::Plugin(file) => plugin_folder().is_some_and(|folder| Path::new(&folder).join(file).is_file()),
        }
    }
}

/// The folder of GStreamer's plugins.
fn plugin_folder() -> Option<String> {
    let mut command = Command::new("pkg-config");
    let output = command.args(["--variable=pluginsdir", "gstreamer-1.0"]).stderr(Stdio::null()).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!folder.is_empty()).then_some(folder)
}

/// Whether packages may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// After a yes at a terminal; without asking for root without a terminal (a container, CI).
    Ask,
    /// Never.
    Forbidden,
}

impl Consent {
    /// Takes `--no-install` out of the words of the command line. What follows `--` is not ours.
    pub(crate) fn take_from(words: &mut Vec<String>) -> Consent {
        let ours = words.iter().position(|word| word == "--").unwrap_or(words.len());
        match words[..ours].iter().position(|word| word == "--no-install") {
            Some(at) => {
                words.remove(at);
                Consent::Forbidden
            }
            None => Consent::Ask,
        }
    }
}

/// The missing packages, each once.
pub(crate) fn missing() -> Vec<&'static str> {
    let mut packages: Vec<&str> = NEEDS.iter().filter(|need| !need.is_met()).map(|need| need.package).collect();
    packages.dedup();
    packages
}

/// The command that brings packages.
pub(crate) fn install_command(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    let list = packages.join(" ");
    format!("{sudo}apt-get update && {sudo}apt-get install --yes --no-install-recommends {list}")
}

/// Sees to it that nothing is missing.
///
/// # Errors
/// [`Exit::Environment`] when something is missing and may not or cannot be installed; it was said what.
pub(crate) fn ensure(consent: Consent) -> Result<(), Exit> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    eprintln!("This machine lacks {}. This command brings it:\n", packages.join(", "));
    eprintln!("    {}\n", install_command(&packages));
    if consent == Consent::Forbidden || !may_install() {
        return Err(Exit::Environment);
    }
    install(&packages)?;
    match missing() {
        still if still.is_empty() => Ok(()),
        still => {
            eprintln!("error: still missing after the installation: {}", still.join(", "));
            Err(Exit::Environment)
        }
    }
}

/// Whether somebody says yes, or nobody is there to ask and we are root.
fn may_install() -> bool {
    if !cargo::answers("apt-get", &["--version"]) {
        eprintln!("error: there is no apt-get here; install what these Debian packages hold, then try again");
        return false;
    }
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        if !is_root() {
            eprintln!("error: run it as root, then try again");
        }
        return is_root();
    }
    eprint!("Run it now? [y/N] ");
    let mut answer = String::new();
    let _ = io::stderr().flush();
    io::stdin().lock().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

fn install(packages: &[&str]) -> Result<(), Exit> {
    let update = ["-o", "Acquire::Retries=3", "update"];
    let install = ["-o", "Acquire::Retries=3", "install", "--yes", "--no-install-recommends"];
    for arguments in [update.to_vec(), [&install, packages].concat()] {
        let mut command = if is_root() { Command::new("apt-get") } else { Command::new("sudo") };
        if !is_root() {
            command.arg("apt-get");
        }
        // Standard output belongs to the verb that asked.
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(io::stderr());
        if cargo::run(&mut command) != Exit::Held {
            return Err(Exit::Environment);
        }
    }
    Ok(())
}

fn is_root() -> bool {
    // The owner of our own process: /proc needs neither libc nor a program.
    std::fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_install_is_taken_out_but_not_behind_the_dashes() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut ours = words("simulate --no-install first-call");
        assert_eq!(Consent::take_from(&mut ours), Consent::Forbidden);
        assert_eq!(ours, words("simulate first-call"));
        let mut theirs = words("test -- --no-install");
        assert_eq!(Consent::take_from(&mut theirs), Consent::Ask);
        assert_eq!(theirs, words("test -- --no-install"));
    }

    #[test]
    fn what_is_not_there_is_seen_to_be_missing() {
        let need = |probe| Need { purpose: "", package: "", probe };
        assert!(need(Probe::Program("cargo")).is_met());
        assert!(!need(Probe::Program("no-such-program")).is_met());
        assert!(!need(Probe::Library("no-such-library")).is_met());
        assert!(!need(Probe::Plugin("libgstnosuchplugin.so")).is_met());
    }
}

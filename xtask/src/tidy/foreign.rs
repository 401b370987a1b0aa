//! Some libraries have one room each: only `world` names turmoil, only `media` names GStreamer, only `live` opens
//! sockets.

use super::{
    Finding,
    tree::{Tree, keys},
};

/// A library, the crates that bring it, how code names it, and the folders that may.
struct Foreign {
    what: &'static str,
    crates: &'static [&'static str],
    code: &'static [&'static str],
    homes: &'static [&'static str],
}

const FOREIGN: &[Foreign] = &[
    Foreign {
        what: "turmoil",
        crates: &["turmoil", "turmoil-net"],
        code: &["turmoil::", "turmoil_net::"],
        homes: &["harness/world/"],
    },
    Foreign {
        what: "GStreamer",
        crates: &["gstreamer", "gstreamer-video", "gstreamer-audio", "gstreamer-app"],
        code: &["gst::", "gstreamer::", "gstreamer_"],
        homes: &["harness/media/"],
    },
    Foreign {
        what: "a real socket",
        crates: &["quinn", "mio", "socket2"],
        code: &["UdpSocket", "TcpStream", "TcpListener", "tokio::net"],
        homes: &["harness/live/"],
    },
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for foreign in FOREIGN {
        let at_home = |path: &str| foreign.homes.iter().any(|home| path.starts_with(home));
        let message = || format!("only {} may name {}", foreign.homes.join(", "), foreign.what);
        for (place, path, line) in tree.code() {
            if !at_home(path) && foreign.code.iter().any(|name| line.contains(name)) {
                findings.push(Finding::new(place, message()));
            }
        }
        for (_, folder, manifest) in tree.crates() {
            let tables = [keys(manifest, "dependencies"), keys(manifest, "dev-dependencies")].concat();
            for (line, _) in tables.into_iter().filter(|(_, key)| foreign.crates.contains(key)) {
                let path = format!("{folder}/Cargo.toml");
                if !at_home(&path) {
                    findings.push(Finding::new(format!("{path}:{line}"), message()));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_free_at_home_and_in_comments() {
        let tree = Tree::of(&[
            ("harness/world/src/run.rs", "use turmoil::Builder;\n"),
            ("harness/client/src/lib.rs", "//! turmoil::Builder lives elsewhere\n"),
        ]);
        assert_eq!(check(&tree), []);
    }

    #[test]
    fn a_library_away_from_home_is_found_in_code_and_manifests() {
        let tree = Tree::of(&[
            ("harness/client/src/lib.rs", "\nuse gstreamer::Element;\n"),
            ("harness/client/Cargo.toml", "[dev-dependencies]\nturmoil.workspace = true\n"),
            ("harness/relay/src/lib.rs", "let socket = std::net::UdpSocket::bind(address)?;\n"),
        ]);
        let mut places: Vec<_> = check(&tree).into_iter().map(|finding| finding.place).collect();
        places.sort();
        assert_eq!(
            places,
            ["harness/client/Cargo.toml:2", "harness/client/src/lib.rs:2", "harness/relay/src/lib.rs:1"]
        );
    }
}

//! A node: the library's own, as the binary starts it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use peerage_node::config::settings::{Flags, Settings};
use peerage_node::home::Home;
use peerage_node::node::Node;

use crate::process::say_ready;

/// Runs the node in `home` called `name`, over QUIC on loopback; what it says of itself is the ready line.
pub async fn run(home: &str, name: &str) -> io::Result<()> {
    let home = Home::at(Path::new(home)).map_err(io::Error::other)?;
    let flags = Flags {
        name: Some(name.to_owned()),
        http: Some("auto".parse().map_err(io::Error::other)?),
        listen: vec!["/ip4/127.0.0.1/udp/0/quic-v1".to_owned()],
        no_mdns: true,
        ..Flags::default()
    };
    // No variable of the shell may change what is measured.
    let environment = BTreeMap::new();
    let settings = Settings::load(&home, flags, &environment).map_err(io::Error::other)?;
    let mut node = Node::start(settings).await.map_err(io::Error::other)?;
    say_ready(&serde_json::to_string(node.ready())?)?;
    Err(io::Error::other(node.failure().await))
}

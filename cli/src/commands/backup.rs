//! `backup` and `restore`: a node in one file, and back, here or on another machine.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use peerage_node::home::{Home, write_atomically};
use peerage_node::keys;
use peerage_protocol::id::NodeId;
use peerage_protocol::signature::Signer;
use serde_json::json;

use super::{Context, now};
use crate::arguments::Backup;
use crate::backup::{Archive, Label, collect, present, put_back, set_aside};
use crate::failure::Failure;
use crate::render;
use crate::terminal::{note, print};

/// The file name that means standard input or output.
const STREAM: &str = "-";

pub(super) fn backup(context: &Context, backup: &Backup) -> Result<(), Failure> {
    let stream = backup.file == Path::new(STREAM);
    if stream && io::stdout().is_terminal() {
        return Err(Failure::refused(
            "terminal",
            "a backup is no text; pipe it on, or name a file",
        ));
    }
    if !stream && backup.file.exists() {
        let message = format!(
            "{} exists already; name another file, or remove it",
            backup.file.display()
        );
        return Err(Failure::refused("exists", message));
    }
    let archive = Archive {
        label: Label::new(node_of(&context.home)?, now()),
        entries: collect(&context.home).map_err(|error| Failure::failed("backup", error))?,
    };
    let bytes = archive
        .to_bytes()
        .map_err(|error| Failure::failed("backup", format!("the backup is not made: {error}")))?;
    let (node, files) = (&archive.label.node, archive.entries.len());
    if stream {
        io::stdout().lock().write_all(&bytes).map_err(|error| {
            Failure::failed("stdout", format!("cannot write the backup: {error}"))
        })?;
        note(&render::backed_up(node, files, None));
        return Ok(());
    }
    write_atomically(&backup.file, &bytes).map_err(|error| {
        let message = format!(
            "cannot write {}: {error}; check the folder and the disk",
            backup.file.display()
        );
        Failure::failed("backup", message)
    })?;
    match context.json {
        true => print(&render::json(
            &json!({"node": node, "files": files, "bytes": bytes.len(), "encrypted": false}),
        )?),
        false => print(&render::backed_up(node, files, Some(&backup.file))),
    }
}

fn node_of(home: &Home) -> Result<String, Failure> {
    match keys::load(&home.identity_key()) {
        Ok(Some(key)) => Ok(NodeId::from_public_key(key.public_key()).to_string()),
        Ok(None) => {
            let message = format!(
                "there is no node in {} yet; start one with: peerage up",
                home.root().display()
            );
            Err(Failure::failed("no_identity", message))
        }
        Err(error) => Err(Failure::failed("key", error)),
    }
}

pub(super) fn restore(context: &Context, file: &Path, force: bool) -> Result<(), Failure> {
    let archive = read(file)?;
    let home = context
        .home
        .prepare()
        .map_err(|error| Failure::failed("home", error))?;
    // Held until all is written, so that no node starts on half of it.
    let lock = home.lock().map_err(|error| {
        Failure::refused("home_held", format!("{error}; stop it with: peerage down"))
    })?;
    let unwritable = |error: io::Error| {
        let message = format!(
            "cannot write into {}: {error}; start nothing there before a restore succeeds",
            home.root().display()
        );
        Failure::failed("restore", message)
    };
    if !force {
        refuse_what_is_there(&home, &present(&home).map_err(unwritable)?)?;
    }
    let aside = set_aside(&home, now()).map_err(unwritable)?;
    put_back(&home, &archive.entries).map_err(unwritable)?;
    drop(lock);
    let Label { node, made, .. } = &archive.label;
    match context.json {
        true => print(&render::json(
            &json!({"node": node, "made": made, "files": archive.entries.len(), "aside": aside}),
        )?),
        false => print(&render::restored(
            node,
            *made,
            now(),
            home.root(),
            aside.as_deref(),
        )),
    }
}

fn read(file: &Path) -> Result<Archive, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::failed("backup", format!("{}: {error}", file.display()))
    };
    let from: Box<dyn Read> = match file == Path::new(STREAM) {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(file).map_err(|error| unreadable(&error))?),
    };
    Archive::read(from).map_err(|error| unreadable(&error))
}

fn refuse_what_is_there(home: &Home, present: &[String]) -> Result<(), Failure> {
    match present {
        [] => Ok(()),
        present => Err(Failure::refused(
            "not_empty",
            format!(
                "{} is not empty ({}); name another home with --home DIR, or put what is there aside with --force",
                home.root().display(),
                present.join(", ")
            ),
        )),
    }
}

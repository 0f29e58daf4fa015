//! `install` and `uninstall`: the node as a service that the system starts when its owner logs in.

use std::fs;
use std::io::ErrorKind;

use peerage_node::config::environment::Environment;
use serde_json::json;

use super::Context;
use crate::failure::Failure;
use crate::render;
use crate::service::{Service, SystemKind};
use crate::terminal::print;

pub(super) fn install(
    context: &Context,
    write: bool,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let service = service(context, environment)?;
    if write {
        let failed = |error| {
            let message = format!(
                "cannot write {}: {error}; check its folder",
                service.path.display()
            );
            Failure::failed("install", message)
        };
        if let Some(folder) = service.path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(&service.path, &service.text).map_err(failed)?;
    }
    match context.json {
        true => print(&render::json(&json!({
            "path": service.path,
            "text": service.text,
            "written": write,
            "next": service.enable,
        }))?),
        false => print(&render::install(&service, write)),
    }
}

pub(super) fn uninstall(context: &Context, environment: &dyn Environment) -> Result<(), Failure> {
    let service = service(context, environment)?;
    let removed = match fs::remove_file(&service.path) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => {
            let message = format!(
                "cannot remove {}: {error}; check its folder",
                service.path.display()
            );
            return Err(Failure::failed("uninstall", message));
        }
    };
    match context.json {
        true => print(&render::json(
            &json!({"path": service.path, "removed": removed, "next": service.disable}),
        )?),
        false => print(&render::uninstall(&service, removed)),
    }
}

fn service(context: &Context, environment: &dyn Environment) -> Result<Service, Failure> {
    let program = std::env::current_exe().map_err(|error| {
        Failure::failed(
            "program",
            format!("the path of this program is not known: {error}; start it by its whole path"),
        )
    })?;
    Service::of(
        SystemKind::here(),
        &program,
        context.home.root(),
        environment,
    )
    .ok_or_else(|| Failure::failed("no_home", "the owner's home folder is not known; set HOME"))
}

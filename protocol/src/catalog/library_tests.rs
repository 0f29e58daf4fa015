//! What the library promises.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::catalog::manifest::{Manifest, ServerManifest};
use crate::id::NodeId;

fn items(keys: &[&str]) -> Vec<ShelfItem> {
    let item = |key: &&str| ShelfItem {
        key: (*key).into(),
        definition: "{}".into(),
    };
    keys.iter().map(item).collect()
}

fn shelf(resources: &[&str], templates: &[&str]) -> Shelf {
    Shelf {
        prompts: items(&["greet"]),
        resources: items(resources),
        templates: items(templates),
        ..Shelf::default()
    }
}

fn local(name: &str, shelf: Shelf) -> (ServerName, Shelf) {
    (name.parse().unwrap(), shelf)
}

fn member(key: u8, name: &str, shelf: Shelf) -> MemberOffer {
    let server = ServerManifest {
        name: "files".parse().unwrap(),
        tools: vec![],
        shelf,
    };
    MemberOffer {
        node: NodeId::from_public_key([key; 32]),
        node_name: name.parse().unwrap(),
        manifest: Arc::new(Manifest::new(vec![server])),
        reachable: true,
        near: true,
    }
}

fn owner(located: &Located<'_>) -> String {
    match located {
        Located::At { provider, uri, .. } => format!("{} {uri}", authority(provider)),
        Located::Ambiguous(names) => names.join(" or "),
        Located::Unknown => "nobody".to_owned(),
    }
}

#[test]
fn a_uri_stays_as_it_is_where_one_server_offers_it() {
    let library = Library::build(
        &[local("notes", shelf(&["a:1"], &[]))],
        &[member(1, "laptop", shelf(&["a:1", "a:2"], &[]))],
    );
    let resources = library.resources();
    let shown: Vec<&str> = resources.all().map(|item| resources.shown(item)).collect();
    assert_eq!(shown, ["a:1", "peerage://files.laptop/a:1", "a:2"]);
    assert_eq!(owner(&library.locate("a:1")), "notes a:1");
    assert_eq!(owner(&library.locate("a:2")), "files.laptop a:2");
    let qualified = library.locate("peerage://files.laptop/a:1");
    assert_eq!(owner(&qualified), "files.laptop a:1");
}

#[test]
fn a_uri_that_two_nodes_offer_is_ambiguous_and_names_both() {
    let library = Library::build(
        &[],
        &[
            member(1, "laptop", shelf(&["a:1"], &[])),
            member(2, "tower", shelf(&["a:1"], &[])),
        ],
    );
    let expected = "peerage://files.laptop/a:1 or peerage://files.tower/a:1";
    assert_eq!(owner(&library.locate("a:1")), expected);
}

#[test]
fn what_is_not_listed_goes_where_a_template_fits() {
    let library = Library::build(
        &[
            local("one", shelf(&["a:1"], &["t:{id}/x"])),
            local("two", shelf(&["b:1"], &["t:{id}/y"])),
        ],
        &[],
    );
    assert_eq!(owner(&library.locate("t:5/y")), "two t:5/y");
    assert_eq!(owner(&library.locate("t:5/z")), "nobody");
}

#[test]
fn a_single_server_with_resources_is_asked_for_what_it_does_not_list() {
    let bare = Shelf {
        prompts: items(&["greet"]),
        ..Shelf::default()
    };
    let servers = [local("one", shelf(&["a:1"], &[])), local("two", bare)];
    let library = Library::build(&servers, &[]);
    assert_eq!(owner(&library.locate("z:9")), "one z:9");
}

#[test]
fn prompts_are_named_as_tools_are() {
    let library = Library::build(
        &[local("notes", shelf(&[], &[]))],
        &[member(1, "laptop", shelf(&[], &[]))],
    );
    let names: Vec<&str> = library
        .prompts()
        .all()
        .map(|item| item.name.as_str())
        .collect();
    assert_eq!(names, ["notes__greet", "laptop__files__greet"]);
    let plain = library.prompts().plain("greet").unwrap();
    assert_eq!(plain.name, "notes__greet");
}

#[test]
fn a_change_that_a_server_announces_is_seen_though_its_lists_stay_the_same() {
    let mut revised = shelf(&["a:1"], &[]);
    let library = |shelf: &Shelf| Library::build(&[], &[member(1, "laptop", shelf.clone())]);
    let before = library(&revised);
    revised.revisions.prompts = 3;
    let after = library(&revised);
    assert_ne!(
        before.revisions(|revisions| revisions.prompts),
        after.revisions(|revisions| revisions.prompts)
    );
    assert_eq!(
        before.revisions(|revisions| revisions.tools),
        after.revisions(|revisions| revisions.tools)
    );
}

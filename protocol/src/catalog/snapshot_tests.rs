//! What the catalog promises.

#![allow(clippy::unwrap_used)]

use super::*;

fn tools(names: &[&str]) -> Vec<ToolEntry> {
    let entry = |name: &&str| ToolEntry {
        name: (*name).into(),
        definition: format!(r#"{{"name":"{name}"}}"#).into(),
    };
    names.iter().map(entry).collect()
}

fn local(name: &str, share: bool, names: &[&str]) -> LocalServer {
    LocalServer {
        name: name.parse().unwrap(),
        share,
        tools: tools(names),
        shelf: Shelf::default(),
    }
}

fn member(key: u8, name: &str, servers: &[(&str, &[&str])]) -> MemberOffer {
    let server = |(name, names): &(&str, &[&str])| ServerManifest {
        name: name.parse().unwrap(),
        tools: tools(names),
        shelf: Shelf::default(),
    };
    MemberOffer {
        node: NodeId::from_public_key([key; 32]),
        node_name: name.parse().unwrap(),
        manifest: Arc::new(Manifest::new(servers.iter().map(server).collect())),
        reachable: true,
        near: true,
    }
}

fn names<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<&'a str> {
    entries.map(|entry| &*entry.name).collect()
}

#[test]
fn local_tools_come_first_then_nodes_and_servers_by_name_with_tools_in_their_own_order() {
    let catalog = Catalog::build(
        vec![local("z", false, &["b", "a"]), local("c", true, &["t"])],
        vec![
            member(1, "tower", &[("y", &["t"]), ("x", &["t"])]),
            member(2, "laptop", &[("x", &["t"])]),
        ],
    );
    assert_eq!(
        names(catalog.entries()),
        [
            "c__t",
            "z__b",
            "z__a",
            "laptop__x__t",
            "tower__x__t",
            "tower__y__t"
        ]
    );
}

#[test]
fn members_of_the_own_region_come_before_others_in_lists_and_among_candidates() {
    let far = MemberOffer {
        near: false,
        ..member(1, "attic", &[("x", &["t"])])
    };
    let locals = vec![local("c", true, &["u"])];
    let mut catalog = Catalog::build(
        locals,
        vec![far.clone(), member(2, "tower", &[("x", &["t"])])],
    );
    let near_first = ["tower__x__t", "attic__x__t"];
    assert_eq!(names(catalog.entries())[1..], near_first);
    let candidates = near_first.map(str::to_owned).to_vec();
    assert_eq!(catalog.lookup("t"), Lookup::Ambiguous(candidates));
    assert!(catalog.set_member(MemberOffer { near: true, ..far }));
    assert_eq!(
        names(catalog.entries())[1..],
        ["attic__x__t", "tower__x__t"]
    );
}

#[test]
fn a_qualified_name_leads_to_its_provider_and_the_tool_as_the_server_names_it() {
    let catalog = Catalog::build(
        vec![],
        vec![member(7, "laptop", &[("files", &["read.it"])])],
    );
    let Lookup::Found(entry) = catalog.lookup("laptop__files__read_-2e-it") else {
        panic!("it is there");
    };
    assert_eq!(&*entry.tool, "read.it");
    assert_eq!(
        entry.provider,
        Provider::Peer {
            node: NodeId::from_public_key([7; 32]),
            node_name: "laptop".parse().unwrap(),
            server: "files".parse().unwrap(),
        }
    );
}

#[test]
fn a_name_without_its_node_or_server_is_answered_with_the_qualified_names() {
    let catalog = Catalog::build(
        vec![local("notes", false, &["read"])],
        vec![
            member(1, "laptop", &[("files", &["read"])]),
            member(2, "tower", &[("files", &["read"])]),
        ],
    );
    let on_nodes = vec![
        "laptop__files__read".to_owned(),
        "tower__files__read".to_owned(),
    ];
    assert_eq!(
        catalog.lookup("files__read"),
        Lookup::Ambiguous(on_nodes.clone())
    );
    let everywhere = [vec!["notes__read".to_owned()], on_nodes].concat();
    assert_eq!(catalog.lookup("read"), Lookup::Ambiguous(everywhere));
    assert_eq!(catalog.lookup("files__write"), Lookup::Unknown);
    assert_eq!(catalog.lookup(""), Lookup::Unknown);
}

#[test]
fn a_local_tool_keeps_its_name_when_a_peer_has_one_like_it() {
    let catalog = Catalog::build(
        vec![local("files", false, &["read"])],
        vec![member(1, "laptop", &[("files", &["read"])])],
    );
    let Lookup::Found(entry) = catalog.lookup("files__read") else {
        panic!("it is there");
    };
    assert!(matches!(entry.provider, Provider::Local { .. }));
}

#[test]
fn tools_of_an_unreachable_node_are_found_but_neither_listed_nor_suggested() {
    let mut gone = member(1, "laptop", &[("files", &["read"])]);
    gone.reachable = false;
    let catalog = Catalog::build(vec![], vec![gone]);
    assert!(matches!(
        catalog.lookup("laptop__files__read"),
        Lookup::Found(Entry {
            reachable: false,
            ..
        })
    ));
    assert_eq!(catalog.reachable().count(), 0);
    assert_eq!(catalog.lookup("files__read"), Lookup::Unknown);
    assert!(catalog.plain_names().is_empty());
}

#[test]
fn members_are_offered_shared_servers_only() {
    let catalog = Catalog::build(
        vec![
            local("open", true, &["a"]),
            local("private", false, &["secret"]),
        ],
        vec![member(1, "laptop", &[("files", &["read"])])],
    );
    let manifest = catalog.manifest_for_members();
    let [server] = manifest.servers.as_slice() else {
        panic!("one server is shared");
    };
    assert_eq!(server.name.as_str(), "open");
    assert_eq!(server.tools, tools(&["a"]));
}

#[test]
fn plain_names_are_the_local_ones_and_else_those_that_mean_one_tool() {
    let catalog = Catalog::build(
        vec![
            local("a", false, &["both", "mine", "x__shadow"]),
            local("b", false, &["both"]),
        ],
        vec![
            member(1, "laptop", &[("files", &["mine", "only", "two"])]),
            member(2, "tower", &[("files", &["two"])]),
        ],
    );
    let plain: Vec<(&str, &str)> = catalog.plain_names().into_iter().collect();
    assert_eq!(
        plain,
        [
            ("mine", "a__mine"),
            ("only", "laptop__files__only"),
            ("x__shadow", "a__x_-5f-_-5f-shadow"),
        ]
    );
}

#[test]
fn a_plain_name_never_hides_a_qualified_one() {
    let catalog = Catalog::build(
        vec![local("a", false, &["b__t"]), local("b", false, &["t"])],
        vec![],
    );
    assert!(!catalog.plain_names().contains_key("b__t"));
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let laptop = || member(1, "laptop", &[("files", &["read"])]);
    let impostor = || member(2, "laptop", &[("files", &["read", "write"])]);
    let one = Catalog::build(vec![], vec![laptop(), impostor()]);
    let other = Catalog::build(vec![], vec![impostor(), laptop()]);
    assert!(one.entries().eq(other.entries()));
    assert_eq!(
        names(one.entries()),
        ["laptop__files__read", "laptop__files__write"]
    );
}

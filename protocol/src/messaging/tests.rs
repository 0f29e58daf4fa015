#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::message::{
    Audience, Content, DirectMessage, LIFETIME_MAX, MessageId, Priority, TEXT_BYTES_MAX, Topic,
};
use super::receipt::{CHAINS_MAX, Received};
use super::sealing::{Binding, KeyId, MessageKey};
use super::*;
use crate::id::{MeshId, NodeId};
use crate::log::chain_id::EpochId;
use crate::time::Timestamp;

fn content() -> Content {
    Content {
        id: MessageId([7; 16]),
        from: "coder".parse().unwrap(),
        number: 1_800_000_000_000,
        sent: Timestamp(1_800_000_000_000),
        lifetime: 3_600,
        priority: Priority::High,
        reply_to: Some(MessageId([8; 16])),
        text: "ready?".to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[test]
fn the_bytes_of_a_public_message_are_fixed() {
    let message = PublicMessage {
        audience: Audience::Topic("builds/main".parse().unwrap()),
        content: content(),
    };
    assert_eq!(
        hex(&message.encode()),
        "a26861756469656e6365a165546f7069636b6275696c64732f6d61696e67636f6e74656e74a862696450070707070707070707070707070707076466726f6d65636f646572666e756d6265721b000001a3185c50006473656e741b000001a3185c5000686c69666574696d65190e10687072696f726974796468696768687265706c795f746f500808080808080808080808080808080864746578746672656164793f"
    );
    assert_eq!(PublicMessage::decode(&message.encode()), Ok(message));
}

#[test]
fn the_bytes_of_what_is_sealed_are_fixed() {
    let message = DirectMessage {
        to: "reader".parse().unwrap(),
        content: Content {
            priority: Priority::Normal,
            reply_to: None,
            ..content()
        },
    };
    assert_eq!(
        hex(&message.encode()),
        "a262746f6672656164657267636f6e74656e74a762696450070707070707070707070707070707076466726f6d65636f646572666e756d6265721b000001a3185c50006473656e741b000001a3185c5000686c69666574696d65190e10687072696f72697479666e6f726d616c64746578746672656164793f"
    );
    assert_eq!(DirectMessage::decode(&message.encode()), Ok(message));
}

#[test]
fn the_bytes_of_direct_items_are_fixed() {
    let sealed = DirectItem::Sealed(SealedMessage {
        key: KeyId(5),
        number: 9,
        encapsulated: [1; 32],
        ciphertext: vec![2; 3],
    });
    let receipt = DirectItem::Receipt(Receipt {
        received: vec![Received {
            author: NodeId::from_public_key([3; 32]),
            epoch: EpochId([4; 16]),
            sequence: 12,
        }],
    });
    assert_eq!(
        hex(&sealed.encode()),
        "a1665365616c6564a4636b657905666e756d626572096c656e63617073756c61746564582001010101010101010101010101010101010101010101010101010101010101016a6369706865727465787443020202"
    );
    assert_eq!(
        hex(&receipt.encode()),
        "a16752656365697074a168726563656976656481a366617574686f72582003030303030303030303030303030303030303030303030303030303030303036565706f636850040404040404040404040404040404046873657175656e63650c"
    );
    for item in [sealed, receipt] {
        assert_eq!(DirectItem::decode(&item.encode()), Ok(item));
    }
}

#[test]
fn what_a_sealed_message_is_bound_to_is_fixed() {
    let binding = Binding {
        mesh: MeshId::from_public_key([1; 32]),
        sender: NodeId::from_public_key([2; 32]),
        recipient: NodeId::from_public_key([3; 32]),
        number: 4,
    };
    assert_eq!(
        hex(&binding.info()),
        "7065657261676520646972656374206d657373616765207631000101010101010101010101010101010101010101010101010101010101010101"
    );
    assert_eq!(
        hex(&binding.associated_data()),
        "7065657261676520646972656374206d65737361676520763100020202020202020202020202020202020202020202020202020202020202020203030303030303030303030303030303030303030303030303030303030303036469726563740000000000000004"
    );
    let hash = crate::id::Hash::of(&[5; 32]);
    assert_eq!(MessageKey([5; 32]).id(), KeyId(hash.leading_u64()));
}

#[test]
fn every_bound_of_a_message_is_a_named_refusal() {
    let mut long = content();
    long.text = "x".repeat(TEXT_BYTES_MAX + 1);
    assert_eq!(
        long.check(),
        Err(MessageError::Text {
            found: TEXT_BYTES_MAX + 1
        })
    );
    let mut empty = content();
    empty.text.clear();
    assert_eq!(empty.check(), Err(MessageError::Text { found: 0 }));
    for lifetime in [0, u32::try_from(LIFETIME_MAX.as_secs() + 1).unwrap()] {
        let wrong = Content {
            lifetime,
            ..content()
        };
        assert!(matches!(wrong.check(), Err(MessageError::Lifetime { .. })));
    }
    for topic in ["", "Builds", "a b", &"x".repeat(65)] {
        assert_eq!(topic.parse::<Topic>(), Err(MessageError::Topic));
    }
    for id in ["", "07", "zz070707070707070707070707070707"] {
        assert_eq!(id.parse::<MessageId>(), Err(MessageError::Id));
    }
    let id = MessageId([0xab; 16]);
    assert_eq!(id.to_string().parse(), Ok(id));
}

#[test]
fn a_receipt_for_too_many_chains_is_refused() {
    let received = Received {
        author: NodeId::from_public_key([3; 32]),
        epoch: EpochId([4; 16]),
        sequence: 12,
    };
    let long = DirectItem::Receipt(Receipt {
        received: vec![received; CHAINS_MAX + 1],
    });
    let refused = DirectItem::decode(&long.encode()).unwrap_err();
    assert!(matches!(refused, ItemError::ReceiptTooLong { .. }));
}

proptest! {
    #[test]
    fn any_bytes_are_an_item_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = DirectItem::decode(&bytes);
        let _ = PublicMessage::decode(&bytes);
        let _ = DirectMessage::decode(&bytes);
    }

    #[test]
    fn an_item_with_one_byte_changed_never_panics(place in 0usize..200, byte in any::<u8>()) {
        let message = PublicMessage { audience: Audience::Everyone, content: content() };
        let mut bytes = message.encode().to_vec();
        let place = place % bytes.len();
        bytes[place] = byte;
        let _ = PublicMessage::decode(&bytes);
        let _ = DirectItem::decode(&bytes);
    }
}

//! The DNS messages of the local network: a question for Peerage nodes, and an answer with one announcement.

use data_encoding::HEXLOWER;
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::{PTR, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// The service that is asked for.
const SERVICE: &str = "_peerage._udp.local.";

/// How long others may keep an answer: until its node says more.
const ANSWER_LIFETIME_SECONDS: u32 = 120;

/// The longest string in a text record (RFC 1035, 3.3).
const STRING_BYTES_MAX: usize = 255;

/// Announcements read from one packet.
const ANNOUNCEMENTS_MAX: usize = 8;

/// What a packet means to a Peerage node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// It asks who is there.
    pub(super) asks: bool,
    /// What may be announcements.
    pub(super) announcements: Vec<Vec<u8>>,
}

/// The question who is there.
pub(super) fn question() -> Option<Vec<u8>> {
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(service()?, RecordType::PTR));
    message.to_vec().ok()
}

/// An answer: one instance of the service, named by bytes that differ each time, whose text is the announcement.
pub(super) fn answer(announcement: &[u8]) -> Option<Vec<u8>> {
    let service = service()?;
    let label = HEXLOWER.encode(announcement.get(1..17)?);
    let instance = Name::from_ascii(format!("{label}.{SERVICE}")).ok()?;
    let text = TXT::from_bytes(announcement.chunks(STRING_BYTES_MAX).collect());
    let mut message = Message::new(0, MessageType::Response, OpCode::Query);
    message.metadata.authoritative = true;
    let lifetime = ANSWER_LIFETIME_SECONDS;
    let pointer = RData::PTR(PTR(instance.clone()));
    message.add_answer(Record::from_rdata(service, lifetime, pointer));
    message.add_answer(Record::from_rdata(instance, lifetime, RData::TXT(text)));
    message.to_vec().ok()
}

/// What a packet from anybody says; nothing where it is none of ours.
pub(super) fn read(bytes: &[u8]) -> Read {
    let (Ok(message), Some(service)) = (Message::from_vec(bytes), service()) else {
        return Read::default();
    };
    if message.metadata.message_type == MessageType::Query {
        let asks = message.queries.iter().any(|query| *query.name() == service);
        return Read {
            asks,
            ..Read::default()
        };
    }
    let records = message.answers.iter().chain(&message.additionals);
    let ours = records.filter(|record| service.zone_of(&record.name));
    let texts = ours.filter_map(|record| match &record.data {
        RData::TXT(text) => Some(text.txt_data.concat()),
        _ => None,
    });
    Read {
        asks: false,
        announcements: texts.take(ANNOUNCEMENTS_MAX).collect(),
    }
}

fn service() -> Option<Name> {
    Name::from_ascii(SERVICE).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::super::announcement::ANNOUNCEMENT_BYTES;
    use super::*;

    #[test]
    fn a_question_is_read_as_one() {
        let read = read(&question().unwrap());
        assert_eq!(
            read,
            Read {
                asks: true,
                announcements: Vec::new()
            }
        );
    }

    #[test]
    fn an_answer_carries_its_announcement_in_one_packet_of_any_ethernet() {
        let announcement = vec![7; ANNOUNCEMENT_BYTES];
        let answer = answer(&announcement).unwrap();
        assert!(answer.len() < 1_400, "{}", answer.len());
        let read = read(&answer);
        assert_eq!(
            read,
            Read {
                asks: false,
                announcements: vec![announcement]
            }
        );
    }

    #[test]
    fn questions_and_answers_of_other_services_are_none_of_ours() {
        let other = Name::from_ascii("_p2p._udp.local.").unwrap();
        let mut asked = Message::new(0, MessageType::Query, OpCode::Query);
        asked.add_query(Query::query(other.clone(), RecordType::PTR));
        assert_eq!(read(&asked.to_vec().unwrap()), Read::default());
        let mut told = Message::new(0, MessageType::Response, OpCode::Query);
        let text = RData::TXT(TXT::from_bytes(vec![b"x"]));
        told.add_answer(Record::from_rdata(other, 1, text));
        assert_eq!(read(&told.to_vec().unwrap()), Read::default());
    }

    proptest! {
        #[test]
        fn no_packet_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = read(&bytes);
        }
    }
}

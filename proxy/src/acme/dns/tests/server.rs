//! A name server of one zone on loopback: answers by UDP and TCP, takes updates that are signed with its key.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::rdata::{A, CNAME, NS, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigResponseContext, TSigner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

pub(in crate::acme) const KEY: &[u8] = b"CANARY-tsig-0123456789abcdef";
pub(in crate::acme) const KEY_NAME: &str = "bailey-key";

/// What it knows and how it behaves.
#[derive(Default)]
pub(in crate::acme) struct Zone {
    pub(in crate::acme) texts: Vec<(String, String)>,
    pub(in crate::acme) aliases: Vec<(String, String)>,
    /// So many questions for texts are answered as if there were none.
    pub(in crate::acme) lag: usize,
    /// Nothing is answered by UDP.
    pub(in crate::acme) by_tcp_only: bool,
    /// Answers by UDP are cut.
    pub(in crate::acme) cut: bool,
    pub(in crate::acme) updates: usize,
    /// The most texts that were there at once.
    pub(in crate::acme) most: usize,
}

pub(in crate::acme) struct Server {
    zone: Arc<Mutex<Zone>>,
    pub(in crate::acme) address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Server {
    /// The zone `example.com`.
    pub(in crate::acme) async fn start() -> Self {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let (zone, address) = (Arc::<Mutex<Zone>>::default(), tcp.local_addr().unwrap());
        let (first, second) = (zone.clone(), zone.clone());
        let datagrams = tokio::spawn(async move {
            let mut buffer = [0; 2048];
            loop {
                let Ok((length, from)) = udp.recv_from(&mut buffer).await else { continue };
                let (silent, cut) = {
                    let zone = first.lock().unwrap();
                    (zone.by_tcp_only, zone.cut)
                };
                if silent {
                    continue;
                }
                let mut answer = answer(&buffer[..length], &first);
                if cut {
                    answer = Message::from_vec(&answer).unwrap().truncate().to_vec().unwrap();
                }
                udp.send_to(&answer, from).await.unwrap();
            }
        });
        let streams = tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = tcp.accept().await else { continue };
                let zone = second.clone();
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u16().await {
                        let mut question = vec![0; length.into()];
                        stream.read_exact(&mut question).await.unwrap();
                        let answer = answer(&question, &zone);
                        stream.write_u16(answer.len() as u16).await.unwrap();
                        stream.write_all(&answer).await.unwrap();
                    }
                });
            }
        });
        Self { zone, address, tasks: [datagrams, streams] }
    }

    pub(in crate::acme) fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap()
    }

    pub(in crate::acme) fn shared(&self) -> Arc<Mutex<Zone>> {
        self.zone.clone()
    }

    pub(in crate::acme) fn texts(&self) -> Vec<(String, String)> {
        self.zone().texts.clone()
    }
}

fn text_of(name: &Name) -> String {
    name.to_lowercase().to_ascii().trim_end_matches('.').to_owned()
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

fn answer(bytes: &[u8], zone: &Mutex<Zone>) -> Vec<u8> {
    let question = Message::from_vec(bytes).unwrap();
    let mut zone = zone.lock().unwrap();
    if question.op_code == OpCode::Update {
        return update(bytes, &question, &mut zone);
    }
    let mut answer = Message::new(question.id, MessageType::Response, OpCode::Query);
    answer.add_queries(question.queries.clone());
    let asked = question.queries[0].clone();
    let (owner, kind) = (text_of(asked.name()), asked.query_type());
    if owner != "example.com" && !owner.ends_with(".example.com") {
        answer.metadata.response_code = ResponseCode::Refused;
        return answer.to_vec().unwrap();
    }
    let soa = Record::from_rdata(
        name("example.com"),
        60,
        RData::SOA(SOA::new(name("ns.example.com"), name("root.example.com"), 1, 60, 60, 60, 60)),
    );
    if let Some((_, target)) = zone.aliases.iter().find(|(from, _)| *from == owner) {
        answer.add_answer(Record::from_rdata(name(&owner), 60, RData::CNAME(CNAME(name(target)))));
    } else if kind == RecordType::TXT && zone.lag > 0 {
        zone.lag -= 1;
    } else if kind == RecordType::TXT {
        for (_, text) in zone.texts.iter().filter(|(at, _)| *at == owner) {
            answer.add_answer(Record::from_rdata(name(&owner), 60, RData::TXT(TXT::new(vec![text.clone()]))));
        }
    } else if kind == RecordType::SOA && owner == "example.com" {
        answer.add_answer(soa.clone());
    } else if kind == RecordType::NS && owner == "example.com" {
        answer.add_answer(Record::from_rdata(name("example.com"), 60, RData::NS(NS(name("ns.example.com")))));
    } else if kind == RecordType::A {
        answer.add_answer(Record::from_rdata(name(&owner), 60, RData::A(A::new(127, 0, 0, 1))));
    }
    if answer.answers.is_empty() {
        answer.metadata.response_code = ResponseCode::NXDomain;
        answer.add_authority(soa);
    }
    answer.to_vec().unwrap()
}

fn update(bytes: &[u8], message: &Message, zone: &mut Zone) -> Vec<u8> {
    let mut answer = Message::new(message.id, MessageType::Response, OpCode::Update);
    answer.add_queries(message.queries.clone());
    let key = TSigner::new(KEY.to_vec(), TsigAlgorithm::HmacSha256, name(KEY_NAME), 300).unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let Ok((mac, _, times)) = key.verify_message_byte(bytes, None, true) else {
        answer.metadata.response_code = ResponseCode::NotAuth;
        return answer.to_vec().unwrap();
    };
    assert!(times.contains(&now));
    zone.updates += 1;
    for record in &message.authorities {
        let RData::TXT(txt) = &record.data else { continue };
        let one = (text_of(&record.name), String::from_utf8(txt.txt_data.concat()).unwrap());
        if record.dns_class == DNSClass::NONE {
            zone.texts.retain(|there| *there != one);
        } else if !zone.texts.contains(&one) {
            zone.texts.push(one);
        }
        zone.most = zone.most.max(zone.texts.len());
    }
    let encoded = answer.to_vec().unwrap();
    let signature = TSigResponseContext::new(message.id, now, key, mac, None).sign(&encoded).unwrap();
    answer.set_signature(signature);
    answer.to_vec().unwrap()
}

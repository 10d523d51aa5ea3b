//! The places: colleges and offices, buildings, devices at gates, card terminals.
//!
//! Comes from the number of students and the seed; knows nothing of days.

use crate::random::{Draw, Purpose};

/// Sex of a student, and of those a dormitory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sex {
    Male,
    Female,
}

impl Sex {
    /// Word in the exports.
    pub(crate) fn word(self) -> &'static str {
        if self == Sex::Male { "男" } else { "女" }
    }
}

/// A college with its majors: name, short names of majors, weight of its size, share of men.
pub(crate) struct College {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) majors: [&'static str; 3],
    pub(crate) weight: f64,
    pub(crate) men: f64,
}

/// Colleges of the university, the index is used everywhere.
pub(crate) const COLLEGES: [College; 8] = [
    College { id: "C01", name: "计算机学院", majors: ["软件", "计科", "人工智能"], weight: 0.20, men: 0.74 },
    College { id: "C02", name: "电子信息学院", majors: ["电信", "通信", "微电子"], weight: 0.16, men: 0.72 },
    College { id: "C03", name: "机械工程学院", majors: ["机械", "车辆", "机器人"], weight: 0.15, men: 0.80 },
    College { id: "C04", name: "经济管理学院", majors: ["会计", "金融", "物流"], weight: 0.16, men: 0.38 },
    College { id: "C05", name: "外国语学院", majors: ["英语", "日语", "翻译"], weight: 0.08, men: 0.22 },
    College { id: "C06", name: "理学院", majors: ["数学", "物理", "统计"], weight: 0.10, men: 0.60 },
    College { id: "C07", name: "人文学院", majors: ["中文", "历史", "新闻"], weight: 0.08, men: 0.30 },
    College { id: "C08", name: "设计学院", majors: ["视传", "环设", "产品"], weight: 0.07, men: 0.40 },
];

/// Offices: identifier and name.
pub(crate) const OFFICES: [(&str, &str); 5] =
    [("D01", "学生工作处"), ("D02", "后勤保卫处"), ("D03", "教务处"), ("D04", "网络信息中心"), ("D05", "心理健康教育中心")];

/// The university itself.
pub(crate) const UNIVERSITY: (&str, &str) = ("U01", "示例大学");

pub(crate) const FLOORS: u32 = 6;
pub(crate) const DOORS: u32 = 21;

/// A dormitory building; its identifier is `N` and its number.
#[derive(Debug, Clone)]
pub(crate) struct Building {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) sex: Sex,
    /// Devices of its gate.
    pub(crate) gates: [u16; 2],
}

/// A dormitory room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) building: u16,
    pub(crate) floor: u32,
    pub(crate) door: u32,
    pub(crate) beds: u32,
}

impl Room {
    /// Room number such as `N3-412`.
    pub(crate) fn id(&self) -> String {
        format!("N{}-{}{:02}", self.building + 1, self.floor, self.door)
    }
}

/// Where a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceKind {
    School,
    Dorm,
    Library,
    Canteen,
}

impl DeviceKind {
    /// Word in `device.csv`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            DeviceKind::School => "school",
            DeviceKind::Dorm => "dorm",
            DeviceKind::Library => "library",
            DeviceKind::Canteen => "canteen",
        }
    }
}

/// A device that sends heartbeats.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) kind: DeviceKind,
    pub(crate) place: String,
    pub(crate) building: Option<u16>,
    /// How far its clock is ahead.
    pub(crate) skew_ms: i64,
}

/// What is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merchant {
    Canteen,
    Shop,
    Shower,
    Water,
    Bus,
    Library,
}

impl Merchant {
    /// All of them, in the order of their discriminants.
    pub(crate) const ALL: [Merchant; 6] =
        [Merchant::Canteen, Merchant::Shop, Merchant::Shower, Merchant::Water, Merchant::Bus, Merchant::Library];

    /// Word in the card export.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Merchant::Canteen => "食堂",
            Merchant::Shop => "超市",
            Merchant::Shower => "浴室",
            Merchant::Water => "开水",
            Merchant::Bus => "校车",
            Merchant::Library => "图书馆",
        }
    }
}

/// A card terminal; those of canteens are devices too.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    pub(crate) id: String,
    pub(crate) device: Option<u16>,
}

/// The places of one campus.
#[derive(Debug, Clone, Default)]
pub(crate) struct Campus {
    pub(crate) buildings: Vec<Building>,
    pub(crate) rooms: Vec<Room>,
    pub(crate) devices: Vec<Device>,
    pub(crate) terminals: Vec<Terminal>,
    pub(crate) school_gates: Vec<u16>,
    pub(crate) library_gates: Vec<u16>,
    /// Terminals of each canteen.
    pub(crate) canteens: Vec<Vec<u16>>,
    pub(crate) shops: Vec<u16>,
    pub(crate) buses: Vec<u16>,
    pub(crate) printers: Vec<u16>,
    /// Hot water in the teaching buildings.
    pub(crate) teaching: Vec<u16>,
    /// Hot water and shower terminals of each building.
    pub(crate) water: Vec<u16>,
    pub(crate) showers: Vec<u16>,
}

impl Campus {
    /// Lays out everything but the dormitories, which grow as students move in.
    pub(crate) fn new(seed: u64, students: u32) -> Campus {
        let mut campus = Campus::default();
        for (number, place) in ["南门", "东门", "北门"].iter().enumerate() {
            let gate = campus.device(seed, format!("G-S{}", number + 1), DeviceKind::School, place, None);
            campus.school_gates.push(gate);
        }
        for (number, place) in ["图书馆一层东口", "图书馆一层西口"].iter().enumerate() {
            let gate = campus.device(seed, format!("G-L{}", number + 1), DeviceKind::Library, place, None);
            campus.library_gates.push(gate);
        }
        let canteens = (2 + students / 8000).clamp(2, 4);
        let tills = (students / canteens / 250).clamp(6, 20);
        for canteen in 0..canteens {
            let place = ["第一食堂", "第二食堂", "第三食堂", "第四食堂"][canteen as usize];
            let mut terminals = Vec::new();
            for till in 1..=tills {
                let id = format!("T-C{}-{till:02}", canteen + 1);
                let device = campus.device(seed, id.clone(), DeviceKind::Canteen, place, None);
                terminals.push(campus.terminal(id, Some(device)));
            }
            campus.canteens.push(terminals);
        }
        campus.shops = (1..=6).map(|it| campus.terminal(format!("T-M{}-{:02}", it % 3 + 1, it), None)).collect();
        campus.buses = (1..=3).map(|it| campus.terminal(format!("T-B1-{it:02}"), None)).collect();
        campus.printers = (1..=2).map(|it| campus.terminal(format!("T-L1-{it:02}"), None)).collect();
        campus.teaching = (1..=5).map(|it| campus.terminal(format!("T-J{it}-01"), None)).collect();
        campus
    }

    /// Opens one more building for one sex.
    pub(crate) fn open_building(&mut self, seed: u64, sex: Sex) -> u16 {
        let index = self.buildings.len() as u16;
        let (id, name) = (format!("N{}", index + 1), format!("北苑{}号楼", index + 1));
        let gates = [1, 2].map(|door| {
            self.device(seed, format!("G-{id}-{door}"), DeviceKind::Dorm, &format!("{name}{door}号通道"), Some(index))
        });
        let water = self.terminal(format!("T-{id}-W1"), None);
        let shower = self.terminal(format!("T-{id}-Y1"), None);
        self.water.push(water);
        self.showers.push(shower);
        self.buildings.push(Building { id, name, sex, gates });
        index
    }

    fn device(&mut self, seed: u64, id: String, kind: DeviceKind, place: &str, building: Option<u16>) -> u16 {
        let index = self.devices.len() as u16;
        let mut draw = Draw::new(seed, Purpose::Campus, u64::from(index), 0);
        let skew_ms = if draw.chance(0.1) { draw.between(-180_000, 180_000) } else { draw.between(-900, 900) };
        self.devices.push(Device { id, kind, place: place.to_owned(), building, skew_ms });
        index
    }

    fn terminal(&mut self, id: String, device: Option<u16>) -> u16 {
        self.terminals.push(Terminal { id, device });
        self.terminals.len() as u16 - 1
    }
}

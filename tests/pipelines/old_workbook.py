"""Makes valid/xls_of_an_old_office/thing.xls, a workbook of the binary Excel, with invented rows.

    python3 -m venv /tmp/xlwt && /tmp/xlwt/bin/pip install xlwt==1.3.0
    /tmp/xlwt/bin/python tests/pipelines/old_workbook.py
"""

from datetime import date, datetime, time
from pathlib import Path

import xlwt

DAY = xlwt.easyxf(num_format_str="yyyy-mm-dd")
INSTANT = xlwt.easyxf(num_format_str="yyyy-mm-dd hh:mm:ss")
CLOCK = xlwt.easyxf(num_format_str="hh:mm:ss")

ROWS = [
    ["学号", "姓名", "编号", "金额", "开通", "日期", "时间"],
    [2023000001.0, "王小明", 1, 12.35, True, date(2025, 9, 1), datetime(2025, 9, 1, 18, 0, 3)],
    ["2023000002", "a \"quote\"\nand a line", 2, "12.3", "否", "2025-09-01", "2025-09-01 18:00:03"],
    ["2023000003", "  ", 3, None, None, None, None],
    ["2023000004", "𠮷", 4, 1, 0, date(2025, 9, 1), date(2025, 9, 1)],
    ["2023000005", "x", 5, 1.005, True, None, None],
    ["2023000006", "x", 6, 1, True, datetime(2025, 9, 1, 8, 0, 0), None],
    ["2023000007", "x", 7, 1, True, 45901, None],
    ["2023000008", "x", 8, 1, True, None, time(7, 0, 0)],
    ["2023000009", "x", 9, 1, True, None, None, None, "beyond"],
    ["12345", "x", 10, 1, True, None, None],
]


def write(sheet, at, place, value):
    if isinstance(value, datetime):
        sheet.write(at, place, value, INSTANT)
    elif isinstance(value, date):
        sheet.write(at, place, value, DAY)
    elif isinstance(value, time):
        sheet.write(at, place, value, CLOCK)
    elif value is not None:
        sheet.write(at, place, value)


book = xlwt.Workbook(encoding="utf-8")
book.add_sheet("说明").write(0, 0, "see the other sheet")
sheet = book.add_sheet("名单")
sheet.write(0, 0, "A title above the head")
for at, row in enumerate(ROWS):
    for place, value in enumerate(row):
        write(sheet, at + 2, place, value)
folder = Path(__file__).parent / "valid" / "xls_of_an_old_office"
folder.mkdir(exist_ok=True)
book.save(str(folder / "thing.xls"))

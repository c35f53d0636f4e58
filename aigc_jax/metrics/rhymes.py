"""Tones and rhymes of Chinese characters as verse of the Tang has them.

The rhyme book Guangyun (1008) sorts characters by four tones and 206 rhymes, and says beside them which of these poets
may use together. This gives the 106 groups of TONES, known as the Pingshui rhymes. A character with several readings
stands in several rhymes.

`guangyun.tsv` beside this file holds the book's characters; its head says where they are from (CC0 1.0).
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

BOOK = Path(__file__).with_name("guangyun.tsv")  # a rhyme and its characters a line, tab between; # = a remark
LEVEL = (
    "東 冬鍾 江 支脂之 微 魚 虞模 齊 佳皆 灰咍 真諄臻 文欣 元魂痕 寒桓 刪山 "
    "先仙 蕭宵 肴 豪 歌戈 麻 陽唐 庚耕清 青 蒸登 尤侯幽 侵 覃談 鹽添嚴 咸銜凡"
)
RISING = (
    "董 腫 講 紙旨止 尾 語 麌姥 薺 蟹駭 賄海 軫準 吻隱 阮混很 旱緩 潸產 "
    "銑獮 篠小 巧 晧 哿果 馬 養蕩 梗耿靜 迥拯等 有厚黝 寑 感敢 琰忝儼 豏檻范"
)
DEPARTING = (
    "送 宋用 絳 寘至志 未 御 遇暮 霽祭 泰 卦怪夬 隊代廢 震稕 問焮 願慁恨 翰換 諫襇 "
    "霰線 嘯笑 效 号 箇過 禡 漾宕 映諍勁 徑證嶝 宥候幼 沁 勘闞 豔㮇釅 陷鑑梵"
)
ENTERING = "屋 沃燭 覺 質術櫛 物迄 月沒 曷末 黠鎋 屑薛 藥鐸 陌麥昔 錫 職德 緝 合盍 葉怗 洽狎業乏"
TONES = tuple(tuple(tone.split()) for tone in (LEVEL, RISING, DEPARTING, ENTERING))  # 平 上 去 入; 仄: all but 平
LEVELS = frozenset(range(len(TONES[0])))  # the groups of the level tone, as `readings` numbers them


@cache
def readings() -> Mapping[str, frozenset[int]]:
    """Character -> the groups it stands in, 0 … 105 in the order of TONES."""
    groups = [group for tone in TONES for group in tone]
    number = {rhyme: i for i, group in enumerate(groups) for rhyme in group}
    found: dict[str, set[int]] = {}
    for line in BOOK.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            rhyme, characters = line.split("\t")
            for character in characters:
                found.setdefault(character, set()).add(number[rhyme])
    return {character: frozenset(each) for character, each in found.items()}


def known(character: str) -> bool:
    """Whether the book has it."""
    return character in readings()


def fits(character: str, level: bool) -> bool:
    """Whether any reading of a known character is level, or oblique."""
    own = readings()[character]
    return bool(own & LEVELS if level else own - LEVELS)


def shared(characters: str) -> frozenset[int]:
    """The groups in which all of them stand. characters: known ones, at least one."""
    return frozenset.intersection(*(readings()[character] for character in characters))

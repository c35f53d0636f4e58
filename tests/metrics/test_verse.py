"""Chinese verse by its rules, on poems of the Tang whose rhymes and tones any anthology names."""

import random

import pytest

from aigc_jax.errors import UserError
from aigc_jax.metrics import rhymes, verse
from aigc_jax.metrics.bootstrap import interval

REGULATED = """
登鸛雀樓 白日依山盡 黃河入海流 欲窮千里目 更上一層樓
相思 紅豆生南國 春來發幾枝 願君多採擷 此物最相思
早發白帝城 朝辭白帝彩雲間 千里江陵一日還 兩岸猿聲啼不住 輕舟已過萬重山
楓橋夜泊 月落烏啼霜滿天 江楓漁火對愁眠 姑蘇城外寒山寺 夜半鐘聲到客船
春望 國破山河在 城春草木深 感時花濺淚 恨別鳥驚心 烽火連三月 家書抵萬金 白頭搔更短 渾欲不勝簪
山居秋暝 空山新雨後 天氣晚來秋 明月松間照 清泉石上流 竹喧歸浣女 蓮動下漁舟 隨意春芳歇 王孫自可留
登高 風急天高猿嘯哀 渚清沙白鳥飛迴 無邊落木蕭蕭下 不盡長江滾滾來 \
萬里悲秋常作客 百年多病獨登臺 艱難苦恨繁霜鬢 潦倒新停濁酒杯
"""
OLD_STYLE = """
靜夜思 牀前明月光 疑是地上霜 舉頭望明月 低頭思故鄉
春曉 春眠不覺曉 處處聞啼鳥 夜來風雨聲 花落知多少
江雪 千山鳥飛絕 萬徑人蹤滅 孤舟蓑笠翁 獨釣寒江雪
鹿柴 空山不見人 但聞人語響 返景入深林 復照青苔上
黃鶴樓 昔人已乘黃鶴去 此地空餘黃鶴樓 黃鶴一去不復返 白雲千載空悠悠 \
晴川歷歷漢陽樹 芳草萋萋鸚鵡洲 日暮鄉關何處是 煙波江上使人愁
"""


def poems(table):
    """As the set of Tang poems writes them."""
    found = []
    for line in table.strip().split("\n"):
        title, *lines = line.split()
        found.append("\n".join([title, *(f"{a}，{b}。" for a, b in zip(lines[::2], lines[1::2], strict=True))]))
    return found


STRICT, FREE = poems(REGULATED), poems(OLD_STYLE)


def shuffled(text, by_lines):
    """The same with its verses, or all their characters, in another order."""
    lines, dice = verse.verses(text), random.Random(1)
    parts = lines if by_lines else list("".join(lines))
    dice.shuffle(parts)
    whole, size = "".join(parts), len(lines[0])
    return "題\n" + "。".join(whole[i : i + size] for i in range(0, len(whole), size))


def values(texts):
    measures = (verse.form_rate, verse.rhyme_rate, verse.tone_rate, verse.regulated_rate)
    found = [interval(measure(texts), 0, 50) for measure in measures]
    assert all(0 <= low <= value <= high <= 1 for value, low, high in found)
    return [each.value for each in found]


def test_the_book_has_all_groups_and_the_tones_of_a_poem():
    """春望 with its tones as handbooks print them, a position of either tone aside: level 平, oblique 仄."""
    assert [len(tone) for tone in rhymes.TONES] == [30, 29, 30, 17]
    assert len(rhymes.readings()) == 19499
    assert set.union(*map(set, rhymes.readings().values())) == set(range(106))
    tones = "仄仄平平仄平平仄仄平仄平平仄仄仄仄仄平平平仄平平仄平平仄仄平仄平平仄仄平仄仄平平"
    for character, tone in zip("".join(verse.verses(STRICT[4])), tones, strict=True):
        assert rhymes.fits(character, tone == "平"), character
        if character not in "深濺三更渾不勝":  # with a second reading
            assert not rhymes.fits(character, tone == "仄"), character
    assert rhymes.fits("看", True) and rhymes.fits("看", False), "two readings"


def test_rhymes():
    assert rhymes.shared("流樓秋舟留") and rhymes.shared("深心金簪") and rhymes.shared("支脂之")
    assert rhymes.shared("絕滅雪") and rhymes.shared("曉鳥少"), "of oblique tones too"
    assert not rhymes.shared("東冬"), "which today sound alike, and did not"
    assert not rhymes.shared("寒山"), "again"


def test_regulated_verse_keeps_all_rules_and_old_style_verse_form_and_rhyme_alone():
    assert [verse.regulated(verse.verses(text)) for text in STRICT] == [True] * len(STRICT)
    assert [verse.tones(verse.verses(text)).tested for text in STRICT] == [12, 12, 16, 16, 24, 24, 31], "滾 is unknown"
    form, rhyme, tones, whole = values(FREE)
    assert (form, rhyme, whole) == (1, 1, 0)
    assert 0.5 < tones < 0.9
    assert verse.tones(verse.verses(FREE[0])) == (10, 12), "上 in the second verse and 頭 in the third are wrong"


def test_shuffled_poems_are_told_from_real_ones():
    real = STRICT + FREE
    form, rhyme, tones, whole = values(real)
    assert (form, rhyme) == (1, 1) and tones > 0.85 and whole == len(STRICT) / len(real)
    for by_lines in (False, True):
        _, other_rhyme, other_tones, other_whole = values([shuffled(text, by_lines) for text in real])
        assert other_rhyme < rhyme - 0.5 and other_tones < tones - 0.15 and other_whole <= whole - 0.5


def test_each_rule_counts():
    """Of a poem that keeps all, and of what one change breaks."""
    lines = verse.verses(STRICT[0])
    assert verse.tones(lines) == (12, 12)
    assert verse.tones([lines[0], lines[1], lines[3], lines[2]]).kept == 12 - 2 - 4, "not 粘, and the last ones swapped"
    assert verse.tones([lines[0], lines[1], "欲上千里目", lines[3]]).kept == 11, "上 is oblique, as 里"
    assert verse.tones([lines[0], lines[1], lines[2], "更上一層閣"]).kept == 11, "閣 is oblique"
    assert verse.tones(["白日依山流", *lines[1:]]).kept == 12, "the first verse may rhyme"
    assert verse.tones(["白日依山東", *lines[1:]]).kept == 11, "level, and no rhyme"
    assert verse.tones(["白口依A盡", *lines[1:]]) == (11, 11), "unknown characters are left out"


def test_form_and_what_a_verse_is():
    assert verse.verses("題\n白日，\n「黃河？」\n") == ["白日", "黃河"]
    assert verse.verses("白日依山盡，黃河入海流。") == ["白日依山盡", "黃河入海流"], "no title"
    assert verse.verses("白日\n黃河") == ["白日", "黃河"]
    assert verse.has_form(["春眠不覺曉"] * 2) and verse.has_form(["春" * 7] * 6)
    for wrong in ([], ["春" * 5] * 3, ["春" * 6] * 2, ["春" * 5, "春" * 7]):
        assert not verse.has_form(wrong)
    assert not verse.rhyming(["春眠不覺曉"] * 4), "a character does not rhyme with itself"
    assert verse.form_rate([*STRICT, "無詩。"]).value == pytest.approx(7 / 8)
    assert verse.unknown_rate(["題\n春A，曉B。", "春曉。"]).value == pytest.approx(2 / 6)
    with pytest.raises(UserError, match="none of the 1 texts has four verses"):
        verse.tone_rate(["春眠不覺曉"])
    with pytest.raises(UserError, match="none of the 1 texts has a verse"):
        verse.unknown_rate([""])
    with pytest.raises(UserError, match="no text that begins"):
        verse.rhyme_rate([])

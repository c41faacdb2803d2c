"""What counts as said by nobody: by how much a text repeats, whatever its script."""

from __future__ import annotations

import json

import numpy as np
import pytest

from meeting_buddy_bot.recording.audio_source import RATE
from meeting_buddy_bot.transcription.engine import LOOPING, repetition
from meeting_buddy_bot.transcription.invented import is_invented
from meeting_buddy_bot.transcription.openai_answer import decoding
from meeting_buddy_bot.transcription.segmenter import SpeechSegment

PLAIN = {
    "en": "All human beings are born free and equal in dignity and rights. They are endowed with reason and "
    "conscience and should act towards one another in a spirit of brotherhood.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। "
    "उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए।",
    "ta": "மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும், உரிமைகளிலும் சமமானவர்கள், அவர்கள் நியாயத்தையும் "
    "மனச்சாட்சியையும் இயற்பண்பாகப் பெற்றவர்கள். அவர்கள் ஒருவருடனொருவர் சகோதர உணர்வுப் பாங்கில் நடந்துகொள்ளல் வேண்டும்.",
    "my": "လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် လည်းကောင်း၊ တူညီလွတ်လပ်သော အခွင့်အရေးများဖြင့် လည်းကောင်း၊ မွေးဖွားလာသူများ ဖြစ်သည်။ "
    "ထိုသူတို့၌ ပိုင်းခြား ဝေဖန်တတ်သော ဉာဏ်နှင့် ကျင့်ဝတ် သိတတ်သော စိတ်တို့ရှိကြ၍ ထိုသူတို့သည် အချင်းချင်း မေတ္တာထား၍ ဆက်ဆံကျင့်သုံးသင့်၏။",
    "ka": "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით. მათ მინიჭებული აქვთ გონება "
    "და სინდისი და ერთმანეთის მიმართ უნდა იქცეოდნენ ძმობის სულისკვეთებით.",
    "zh": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
}
"""The first article of the Universal Declaration of Human Rights: what is said in some twelve seconds."""
LOOPS = ("Thank you very much. " * 10, "நன்றி, மீண்டும் சந்திப்போம். " * 10, "字幕由志愿者提供。" * 10)


@pytest.mark.parametrize("language", PLAIN)
def test_plain_speech_of_any_script_was_said(language: str) -> None:
    assert repetition(PLAIN[language]) < 1.6
    answer = {"text": PLAIN[language], "segments": [{"avg_logprob": -0.2, "compression_ratio": 2.9}]}
    found = decoding(json.dumps(answer).encode(), language)
    assert not is_invented(found, SpeechSegment(1, 0.0, np.zeros(12 * RATE, np.float32), 11.0, 0.4))


@pytest.mark.parametrize("text", LOOPS)
def test_a_loop_of_any_script_was_not(text: str) -> None:
    assert repetition(text) > LOOPING


def test_a_text_of_many_characters_repeats_nothing_that_is_not_there_twice() -> None:
    characters = "".join(chr(0x4E00 + n) for n in range(2000))
    assert repetition(characters) < 1.6
    assert repetition(characters[:300] * 10) > LOOPING
    assert repetition("") == 0.0

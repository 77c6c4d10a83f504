"""How fast is it, on this machine, beside what the machine could do and beside other programs; and what got slower?"""
